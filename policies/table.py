"""The routing table: the one path that decides. Facts in, decision out; the same inputs give the same bytes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

from .aliases import Aliases
from .bucketing import unit_of
from .dealing import Dealer
from .decision import Decision, Reason
from .facts import Facts, RoutingOptions
from .fitness import fit
from .lineup import Caster, Lineup, check_options, is_plain, merged
from .naming import AUTO, INWORLD, ROUTER, router_in
from .plan import Candidate, Limits, Plan
from .policy import Policy
from .refusal import NoRouteMatched, RoutingRefusal
from .route import ModelChoice, Route, Variant
from .route_index import RouteIndex
from .targets import Targets
from .template import render_messages
from .unserved import nobody_fits, unknown_model, unknown_router

REMEMBERED = 1024  # lineups of models called directly, and what model strings mean
_PLAIN = RoutingOptions()


@dataclass(frozen=True, slots=True)
class Rules:
    """A policy made ready: its index of conditions, a dealer per route, a lineup per variant."""

    policy: Policy
    index: RouteIndex
    dealers: Mapping[str, Dealer]
    lineups: Mapping[tuple[str, str], Lineup]
    fluid: bool  # in some lineup measurements alone rank several targets


class RoutingTable:
    """Everything a decision depends on besides the facts. Never changes; a reload makes a new one.

    `aliases` map names and patterns (`gpt-realtime*`) to model strings for what nobody serves; a name (no pattern) that
    is also in `firm` stands for its model string even where somebody serves it: the operator wrote it about that name.
    `limits` (in voice sessions `spoken_limits`) hold where a policy has none.
    Raises ValueError when two policies share a name.
    """

    def __init__(
        self,
        targets: Targets,
        policies: Sequence[Policy] = (),
        *,
        aliases: Mapping[str, str] = MappingProxyType({}),
        firm: Collection[str] = (),
        limits: Limits = Limits(),  # noqa: B008  frozen
        spoken_limits: Limits | None = None,
    ) -> None:
        self.targets = targets
        self.limits = limits
        self.spoken_limits = spoken_limits or limits
        self._aliases = Aliases(aliases)
        self._firm = {name: aliases[name] for name in firm if name in aliases}
        self._caster = Caster(targets, self._aliases)
        self._rules: dict[str, Rules] = {}
        for policy in policies:
            if policy.name in self._rules:
                raise ValueError(f"two routers are called {policy.name!r}")
            self._rules[policy.name] = self._ready(policy)
        self._plain = lru_cache(REMEMBERED)(self._cast_plain)
        self._router = lru_cache(REMEMBERED)(self._find_router)
        self._fluid = lru_cache(REMEMBERED)(self._find_fluid)

    @property
    def policies(self) -> Mapping[str, Policy]:
        """The policies by name."""
        return {name: rules.policy for name, rules in self._rules.items()}

    def weights(self, wall_s: float) -> Mapping[tuple[str, str], Mapping[str, float]]:
        """Of each (router, route) that draws: the configured share of each variant at this Unix time, from 0 to 1."""
        shares = {
            (name, route): dealer.weights(wall_s)
            for name, rules in self._rules.items()
            for route, dealer in rules.dealers.items()
        }
        return {key: drawn for key, drawn in shares.items() if len(drawn) > 1}

    def warnings(self) -> tuple[str, ...]:
        """What the policies probably do not mean, and models that no configured provider serves."""
        found: list[str] = []
        for name, rules in self._rules.items():
            lineups = (warning for lineup in rules.lineups.values() for warning in lineup.warnings)
            every = (*rules.policy.warnings(), *lineups)
            found.extend(f"router {name!r}: {warning}" for warning in dict.fromkeys(every))
        return tuple(found)

    def policy_of(self, model: str) -> Policy | None:
        """The policy behind a model string; None where no router is meant, or none of that name is known."""
        try:
            rules = self._router(model)
        except RoutingRefusal:
            return None
        return rules.policy if rules else None

    def references(self, model: str) -> frozenset[str]:
        """The variables that the conditions behind a model string ask for; empty where no router is meant."""
        policy = self.policy_of(model)
        return policy.references() if policy else frozenset()

    def depends(self, facts: Facts, names: frozenset[str]) -> str | None:
        """Which of these variables, none of them set, the choice of a route depends on; None: on none of them."""
        rules = self._router(facts.model)
        return rules.index.depends(facts, names) if rules is not None else None

    def serves(self, model: str) -> bool:
        """Whether a model string that names no router means anything here."""
        return bool(self._caster.find(model)) or self._aliases.get(model) is not None

    def decide(self, facts: Facts) -> Decision:
        """Route, variant and plan for one request. Raises a RoutingRefusal that knows its status and code."""
        check_options(facts.options)
        rules = self._router(facts.model)
        return self._direct(facts) if rules is None else self._routed(rules, facts)

    def _ready(self, policy: Policy) -> Rules:
        lineups = {
            (route.id, variant.id): self._caster.cast(variant.choice, kind=policy.kind, shared=policy.fallbacks)
            for route in policy.every_route
            for variant in route.variants
        }
        dealers = {route.id: Dealer(policy, route) for route in policy.every_route}
        fluid = any(lineup.fluid for lineup in lineups.values())
        return Rules(policy, RouteIndex(policy.routes), dealers, lineups, fluid)

    def fluid(self, model: str, kind: str, options: RoutingOptions) -> bool:
        """Whether measurements may rank who answers this model string: then `Facts.held` matters."""
        return self._fluid(model, kind) if is_plain(options) else self._find_fluid(model, kind, options)

    def _find_fluid(self, model: str, kind: str, options: RoutingOptions = _PLAIN) -> bool:
        try:
            rules = self._router(model)
            return bool(options.sort) or rules.fluid if rules else self._cast_plain(model, kind, options).fluid
        except RoutingRefusal:
            return False

    def _find_router(self, model: str) -> Rules | None:
        """The router a model string names, or None if it names a model."""
        if model in self._firm:
            return self._named_router(self._firm[model])
        rules = self._named_router(model)
        if rules is None and model != AUTO and not self._caster.find(model):
            alias = self._aliases.get(model)
            return self._named_router(alias) if alias else None
        return rules

    def _named_router(self, model: str) -> Rules | None:
        name = router_in(model)
        if name is None:
            return None
        if name in self._rules:
            return self._rules[name]
        if model.startswith(INWORLD) and (self.targets.knows(model) or self._aliases.get(model)):
            return None
        raise unknown_router(name, self._rules)

    def _routed(self, rules: Rules, facts: Facts) -> Decision:
        policy = rules.policy
        route, conditions = rules.index.first(facts)
        route = route or policy.default
        if route is None:
            raise NoRouteMatched
        unit = unit_of(policy.unit, facts.user, facts.metadata)
        deal = rules.dealers[route.id].deal(facts.seed if unit is None else unit[1], facts)
        variant = deal.variant
        lineup = self._lineup(rules, route, variant, facts.options)
        plan, warnings = self._plan(lineup, facts, self._limits(facts, policy), variant.first_token_s)
        messages, missing = render_messages(variant.messages, facts.prompt_variables) if variant.messages else ((), ())
        return Decision(
            requested=facts.model,
            model=_first(plan.candidates) or facts.model,
            reason=deal.reason,
            plan=plan,
            router=policy.name,
            route_id=route.id,
            variant_id=variant.id,
            experiment=policy.checksum,
            sticky=unit is not None,
            unit=unit[0] if unit else None,
            bucket=deal.bucket,
            propensity=deal.propensity,
            seed=None if unit else facts.seed,
            conditions=conditions,
            parameters=variant.parameters,
            messages=messages,
            warnings=_beyond(warnings, rules.lineups[route.id, variant.id].warnings) + variant.unmet + missing,
        )

    def _limits(self, facts: Facts, policy: Policy | None = None) -> Limits:
        """A voice session is less patient: somebody listens to the silence."""
        if facts.protocol != "realtime":
            return (policy and policy.limits) or self.limits
        own = policy and (policy.spoken_limits or policy.limits)
        return own or self.spoken_limits

    def _direct(self, facts: Facts) -> Decision:
        model, reason = facts.model, Reason.SPECIFIED
        served = model == AUTO or bool(self._caster.find(model))
        alias = self._firm.get(model) if served else self._aliases.get(model)
        if alias is not None or not served:
            if alias is None or (alias != AUTO and not self._caster.find(alias)):
                raise unknown_model(self.targets, model, alias, (f"{ROUTER}{name}" for name in self._rules))
            model, reason = alias, Reason.ALIAS
        elif model == AUTO:
            reason = Reason.AUTO
        elif self.targets.named(model) is None:
            reason = Reason.BARE_MODEL
        plan, warnings = self._plan(self._plain(model, facts.kind, facts.options), facts, self._limits(facts), None)
        return Decision(
            requested=facts.model,
            model=_first(plan.candidates) or model,
            reason=reason,
            plan=plan,
            seed=None,
            warnings=warnings,
        )

    def _cast_plain(self, model: str, kind: str, options: RoutingOptions) -> Lineup:
        choice = merged(ModelChoice(model, models=options.models), options)
        return self._caster.cast(choice, kind=kind)

    def _lineup(self, rules: Rules, route: Route, variant: Variant, options: RoutingOptions) -> Lineup:
        if is_plain(options):
            return rules.lineups[route.id, variant.id]
        policy = rules.policy
        choice = merged(variant.choice, options)
        return self._caster.cast(choice, kind=policy.kind, shared=policy.fallbacks, extra=options.models)

    def _plan(
        self, lineup: Lineup, facts: Facts, limits: Limits, first_token_s: float | None
    ) -> tuple[Plan, tuple[str, ...]]:
        candidates, warnings = fit(lineup.order(facts.health, facts.held), facts)
        if _first(candidates) is None:
            raise nobody_fits(self.targets, candidates, facts)
        asked_s = facts.options.first_token_s or first_token_s
        if asked_s is not None:
            limits = replace(limits, first_token_s=asked_s)
        return Plan(candidates, limits, facts.now_s), lineup.warnings + warnings


def _first(candidates: Sequence[Candidate]) -> str | None:
    """The model string of the target that is tried first."""
    for candidate in candidates:
        if candidate.skipped is None:
            return candidate.target.name
    return None


def _beyond(warnings: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The warnings that are not the operator's, who has been told at load."""
    return () if warnings == known else tuple(warning for warning in warnings if warning not in known)
