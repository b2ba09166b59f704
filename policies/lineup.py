"""A lineup: the targets of one request in order of preference, before health and capabilities are looked at.

Order: the model (several targets if it is `auto` or a bare name), the variant's `fallbacks`, its `models` (sorted if
there is a `sort`), the router's `fallbacks`, the request's own `models`. Whoever is met twice counts once.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from .aliases import Aliases
from .facts import RoutingOptions, TargetHealth
from .fitness import Narrowest, Ranked, uneasy
from .frozen import frozen
from .naming import AUTO, router_in
from .ordering import AUTO_SORT, PROVIDER_SORT, Ranking, SortMetric, criterion
from .plan import Candidate
from .refusal import BadRoutingField, suggestion
from .route import ModelChoice
from .target import Target
from .targets import Targets

IGNORED = "ignored"
NOBODY = "no configured provider"
LONGEST = 50  # targets that `auto` lines up out of a pool that may be a whole catalogue

Segment = Ranking | tuple[Candidate, ...]


class Lineup:
    """Segments of the lineup, each ranked by itself; `order` puts them together.

    What comes of one snapshot of health is remembered until another one is handed in: they are never altered.
    """

    __slots__ = ("_candidates", "_latest", "_narrowest", "_segments", "fluid", "warnings")

    def __init__(self, segments: Sequence[Segment], ignored: Collection[str], warnings: tuple[str, ...]) -> None:
        self._segments = tuple(segments)
        self._candidates: dict[str, Candidate] = {}
        for segment in segments:
            found = segment if isinstance(segment, tuple) else map(Candidate, segment.targets)
            for candidate in found:
                name = candidate.target.name
                self._candidates[name] = replace(candidate, skipped=IGNORED) if name in ignored else candidate
        self._narrowest = Narrowest.of(candidate.target for candidate in self._candidates.values())
        self.warnings = warnings
        self.fluid = any(isinstance(segment, Ranking) and segment.fluid for segment in segments)
        nothing: Mapping[str, TargetHealth] = {}
        self._latest = (nothing, self._joined(nothing))

    def order(self, health: Mapping[str, TargetHealth], held: str | None = None) -> Ranked:
        """Everybody once, best first; `held` before those that only measurements would put before it."""
        seen, ranked = self._latest
        if seen is not health:
            ranked = self._joined(health)
            self._latest = (health, ranked)
        return ranked if held is None else ranked.holding(held)

    def _joined(self, health: Mapping[str, TargetHealth]) -> Ranked:
        names: dict[str, None] = {}
        fluid: dict[str, int] = {}
        for segment in self._segments:
            if isinstance(segment, Ranking):
                found = segment.order(health)
                if segment.fluid:
                    fluid.update((name, len(names)) for name in found if name not in names)
                names.update(dict.fromkeys(found))
            else:
                names.update((candidate.target.name, None) for candidate in segment)
        ordered = tuple(names)
        candidates = tuple([self._candidates[name] for name in ordered])
        return Ranked(ordered, candidates, self._narrowest, uneasy(ordered, health), fluid)


@frozen
class Caster:
    """Makes lineups out of model choices."""

    targets: Targets
    aliases: Aliases

    def cast(self, choice: ModelChoice, *, kind: str, shared: Sequence[str] = (), extra: Sequence[str] = ()) -> Lineup:
        """The lineup of a choice, then the router's `shared` fallbacks, then the request's `extra` ones."""
        warnings: list[str] = []
        segments: list[Segment] = []
        models = choice.models
        if choice.model == AUTO:
            segments.append(Ranking(self._pool(choice, kind, warnings), choice.sort or AUTO_SORT, LONGEST))
            models = ()
        else:
            segments.extend(self._entry(choice.model, choice, kind, warnings))
        for entry in choice.fallbacks:
            segments.extend(self._entry(entry, choice, kind, warnings))
        segments.extend(self._listed(models, choice, kind, warnings))
        for entry in shared:
            segments.extend(self._entry(entry, choice, kind, warnings))
        segments.extend(self._listed(extra, choice, kind, warnings))
        return Lineup(segments, self._ignored(choice.ignore, segments), tuple(dict.fromkeys(warnings)))

    @property
    def once(self) -> "Caster":
        """The same without aliases: an alias of an alias is not followed."""
        return replace(self, aliases=Aliases({}))

    def find(self, model: str) -> tuple[Target, ...]:
        """Who answers to a model string that is neither `auto` nor a router; nobody gives an empty tuple."""
        hosted = self.targets.named(model)
        if hosted is not None:
            return (hosted,)
        return self.targets.offering(model)

    def _entry(self, entry: str, choice: ModelChoice, kind: str, warnings: list[str]) -> list[Segment]:
        if entry == AUTO:
            return [Ranking(self.targets.pool(kind), choice.sort or AUTO_SORT, LONGEST)]
        named = self.targets.named(entry)
        if named is not None:
            return [Ranking((named,), ())]
        several = self.targets.offering(entry) or self.targets.of_provider(entry, kind)
        if several:
            wanted = [target for target in several if not self._is_ignored(target, choice.ignore)]
            return self._providers(wanted or several, choice)
        alias = self.aliases.get(entry)
        if alias is not None:
            return self.once._entry(alias, choice, kind, warnings)  # noqa: SLF001  another of our own kind
        near = self.targets.near(entry)
        warnings.append(f"{NOBODY} serves {entry!r}{suggestion(near)}")
        provider, slash, model = entry.partition("/")
        return [(Candidate(Target(provider, model), skipped="not configured"),)] if slash else []

    def _listed(self, entries: Sequence[str], choice: ModelChoice, kind: str, warnings: list[str]) -> list[Segment]:
        """The entries as listed, or with a `sort` all of them ranked together, those nobody serves last."""
        segments = [segment for entry in entries for segment in self._entry(entry, choice, kind, warnings)]
        if not choice.sort:
            return segments
        together = [target for segment in segments if isinstance(segment, Ranking) for target in segment.targets]
        return [Ranking(together, choice.sort), *(segment for segment in segments if isinstance(segment, tuple))]

    def _providers(self, several: Sequence[Target], choice: ModelChoice) -> list[Segment]:
        """Who offers a bare model: those of `provider.order` first, the others by `sort`, else by latency."""
        order = [provider for provider in map(self.targets.provider, choice.provider_order) if provider]
        preferred = [target for provider in order for target in several if target.provider == provider]
        others = [target for target in several if target.provider not in order]
        rest = Ranking(others, choice.sort or PROVIDER_SORT)
        if choice.allow_fallbacks:
            return [Ranking(preferred, ()), rest]
        return [Ranking(preferred, ()) if preferred else Ranking(others, choice.sort or PROVIDER_SORT, limit=1)]

    def _pool(self, choice: ModelChoice, kind: str, warnings: list[str]) -> tuple[Target, ...]:
        if not choice.models:
            pool = self.targets.pool(kind)
        else:
            plain = replace(choice, sort=(), provider_order=(), allow_fallbacks=True)
            segments = [segment for entry in choice.models for segment in self._entry(entry, plain, kind, warnings)]
            found = {
                target.name: target
                for segment in segments
                if isinstance(segment, Ranking)
                for target in segment.targets
            }
            pool = tuple(found.values())
        return tuple(target for target in pool if not self._is_ignored(target, choice.ignore))

    def _ignored(self, entries: Sequence[str], segments: Iterable[Segment]) -> frozenset[str]:
        every = (target for segment in segments if isinstance(segment, Ranking) for target in segment.targets)
        return frozenset(target.name for target in every if self._is_ignored(target, entries))

    def _is_ignored(self, target: Target, entries: Iterable[str]) -> bool:
        return any(self.targets.matches(target, entry) for entry in entries)


def merged(choice: ModelChoice, options: RoutingOptions) -> ModelChoice:
    """A variant's choice with the request's routing fields: `ignore` adds up, `sort` and `provider` fill gaps."""
    own = bool(choice.provider_order) or not choice.allow_fallbacks
    return replace(
        choice,
        ignore=(*choice.ignore, *options.ignore),
        sort=choice.sort or options.sort,
        provider_order=choice.provider_order if own else options.provider_order,
        allow_fallbacks=choice.allow_fallbacks if own else options.allow_fallbacks,
    )


def is_plain(options: RoutingOptions) -> bool:
    """Whether the request leaves the lineup as its variant has it."""
    asked = options.models or options.sort or options.ignore or options.provider_order
    return options.allow_fallbacks and not asked


def check_options(options: RoutingOptions) -> None:
    """Raise BadRoutingField for routing fields that make no sense whatever is configured."""
    for text in options.sort:
        if criterion(text) is None:
            near = suggestion(get_close_matches(text, [metric.value for metric in SortMetric], n=1))
            raise BadRoutingField(f"sort: {text!r} is no metric; known are {', '.join(SortMetric)}{near}", param="sort")
    for entry in options.models:
        if router_in(entry) is not None:
            raise BadRoutingField(f"models: {entry!r} is a router; only models can be fallbacks", param="models")
        if not entry.strip():
            raise BadRoutingField("models: an entry is empty; it is 'provider/model' or a bare model", param="models")
