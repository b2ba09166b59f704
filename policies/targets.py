"""What can answer: the configured providers, and what the catalogue knows about their models.

Providers are open: `provider/model` works for every configured provider whether or not the model is known. Only known
models can be found by their bare name, by `auto` or by naming a whole provider.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import islice
from types import MappingProxyType

from .target import REALTIME, Prices, Target

OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "google": ("google-vertex", "vertex", "vertex_ai", "google-ai-studio", "gemini"),
    "vertex": ("google-vertex", "vertex_ai", "google"),
    "vertex_ai": ("google-vertex", "vertex", "google"),
    "google-vertex": ("vertex", "vertex_ai", "google"),
    "gemini": ("google-ai-studio", "google"),
    "google-ai-studio": ("gemini", "google"),
    "x-ai": ("xai",),
    "mistralai": ("mistral",),
    "together_ai": ("together",),
    "fireworks_ai": ("fireworks",),
    "fireworks-ai": ("fireworks",),
}
LAST_RESORT = frozenset({"demo"})  # stands in for real models; never picked over one
NEAR = 3
_PATTERN = frozenset("*?[")
LONGER, COMPARED = 8, 200  # so that a wrong name costs milliseconds even with thousands of known ones


class Targets:
    """A frozen registry. `known` may hold models of providers that are not configured; they are left out.

    `prices` are of models that may be named without being known, by `provider/model`. `spoken` are patterns of models
    that speak for themselves (kind `realtime`), by provider; those that are no patterns are known.
    """

    __slots__ = ("_by_model", "_by_name", "_by_provider", "_prices", "_spoken", "providers")

    def __init__(
        self,
        providers: Sequence[str],
        known: Sequence[Target] = (),
        prices: Mapping[str, Prices] = MappingProxyType({}),
        *,
        spoken: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._prices = prices
        self._spoken = spoken
        self.providers = tuple(dict.fromkeys(providers))
        configured = frozenset(self.providers)
        self._by_name = {target.name: self._kept(target) for target in known if target.provider in configured}
        for provider, models in spoken.items():
            for model in models:
                if provider in configured and not _PATTERN.intersection(model):
                    self._by_name.setdefault(f"{provider}/{model}", self._named(provider, model))
        self._by_model: dict[str, tuple[Target, ...]] = {}
        self._by_provider: dict[str, tuple[Target, ...]] = {}
        for target in self._by_name.values():
            self._by_model[target.model] = (*self._by_model.get(target.model, ()), target)
            self._by_provider[target.provider] = (*self._by_provider.get(target.provider, ()), target)

    def __iter__(self) -> Iterator[Target]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def provider(self, name: str) -> str | None:
        """The configured provider that goes by this name, or None."""
        if name in self.providers:
            return name
        return next((other for other in OTHER_NAMES.get(name, ()) if other in self.providers), None)

    def named(self, text: str) -> Target | None:
        """The target of `provider/model`, split at the first slash, or None if no such provider is configured."""
        prefix, slash, model = text.partition("/")
        provider = self.provider(prefix) if slash and model else None
        if provider is None:
            return None
        name = f"{provider}/{model}"
        return self._by_name.get(name) or self._named(provider, model)

    def _named(self, provider: str, model: str) -> Target:
        return self._kept(Target(provider, model, prices=self._prices.get(f"{provider}/{model}")))

    def _kept(self, target: Target) -> Target:
        """The target, of the kind that the configuration says it is."""
        patterns = self._spoken.get(target.provider, ())
        speaks = any(fnmatchcase(target.model, pattern) for pattern in patterns)
        return replace(target, kind=REALTIME) if speaks else target

    def offering(self, model: str) -> tuple[Target, ...]:
        """Everybody known to offer a bare model, real providers first."""
        return _real_first(self._by_model.get(model, ()))

    def of_provider(self, name: str, kind: str = "chat") -> tuple[Target, ...]:
        """The known models of one provider that are of a kind; those with scores, if any has."""
        every = self._by_provider.get(self.provider(name) or "", ())
        return _graded(target for target in every if target.kind == kind)

    def knows(self, name: str) -> bool:
        """Whether `provider/model` is in the catalogue."""
        return name in self._by_name

    def pool(self, kind: str = "chat") -> tuple[Target, ...]:
        """What `auto` picks from: the known targets of a kind, stand-ins only if there is nothing else.

        A catalogue also lists classifiers, guards and relics under "chat", and they are the cheapest. So where some
        targets have scores, only those are picked from.
        """
        every = [target for target in self if target.kind == kind]
        return _graded(target for target in every if target.provider not in LAST_RESORT) or _graded(every)

    def matches(self, target: Target, entry: str) -> bool:
        """Whether an entry of `models` or `ignore` means this target: by name, bare model or whole provider."""
        if entry in (target.name, target.model, target.provider) or self.provider(entry) == target.provider:
            return True
        return self.named(entry) == target

    def near(self, text: str, extra: Iterable[str] = ()) -> tuple[str, ...]:
        """Known names that look like the text, best first. Only those that begin or end like it are compared."""
        every = dict.fromkeys((*extra, *self._by_name, *self._by_model))
        alike = (
            name
            for name in every
            if abs(len(name) - len(text)) <= LONGER and (name[:2] == text[:2] or name[-3:] == text[-3:])
        )
        return tuple(get_close_matches(text, islice(alike, COMPARED), n=NEAR, cutoff=0.7))

    def near_providers(self, name: str) -> tuple[str, ...]:
        """Configured providers whose name looks like this one, best first."""
        return tuple(get_close_matches(name, self.providers, n=NEAR))


def _graded(targets: Iterable[Target]) -> tuple[Target, ...]:
    every = tuple(targets)
    return tuple(target for target in every if target.scores) or every


def _real_first(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    return tuple(sorted(targets, key=lambda target: target.provider in LAST_RESORT))
