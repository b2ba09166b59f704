"""A router file becomes a policy of the ground floor; what the ground floor refuses gets its place in the file."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from policies import (
    Condition,
    ConditionError,
    Experiment,
    Guardrail,
    Hedge,
    Layer,
    Limits,
    Metric,
    ModelChoice,
    Policy,
    PolicyError,
    Rollout,
    Route,
    Timeouts,
    Variant,
)
from router import ttft

from . import router_file as written
from .document import Node, Path, at, place, spell
from .findings import ConfigError, Finding
from .load import RouterSource
from .models import Attempts, Defaults
from .models import Timeouts as WrittenTimeouts

PROFILES = {
    "interactive": Limits(Timeouts(connect_s=5, first_token_s=10, idle_s=10, total_s=600, answer_s=90)),
    "resilient": Limits(
        Timeouts(connect_s=5, first_token_s=10, idle_s=10, total_s=600, answer_s=90),
        retry_same=1,
        wait_for_retry_after_s=3,
        on_interrupt="continue",
    ),
    "patient": Limits(Timeouts(connect_s=5, first_token_s=120, idle_s=120, total_s=1800, answer_s=900)),
    "voice": Limits(Timeouts(connect_s=2, first_token_s=5, idle_s=3, total_s=60, answer_s=10)),
}
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPELLED: dict[str, tuple[str, ...]] = {"choice": (), "condition": ("when",), "name": ("router",)}


def limits_of(defaults: Defaults, router: written.RouterFile | None = None) -> Limits:
    """The limits that hold for a router (or without one): its own words, then the server file's, then the profile's.

    A router that names a profile of its own starts from that profile; the server file's timeouts are not for it.
    """
    given: list[written.RouterFile | Defaults] = [defaults]
    base = PROFILES[defaults.profile]
    if router is not None:
        base, given = PROFILES[router.profile or defaults.profile], [defaults, router]
    for one in given:
        own_profile = one is defaults and router is not None and router.profile is not None
        timeouts, attempts = {} if own_profile else _said(one.timeouts), _said(one.attempts)
        if "max" in attempts:
            attempts["max_attempts"] = attempts.pop("max")
        base = replace(
            base,
            timeouts=replace(base.timeouts, **timeouts),
            on_interrupt=one.on_interrupt or base.on_interrupt,
            hedge=Hedge(one.hedge.after_s, one.hedge.max_extra) if one.hedge is not None else base.hedge,
            **attempts,
        )
    return base


def spoken_limits_of(defaults: Defaults, router: written.RouterFile | None = None) -> Limits:
    """The limits in a voice session: as ever, but with the timeouts of `voice` unless the router names a profile."""
    spoken = limits_of(defaults.model_copy(update={"profile": "voice"}), router)
    return replace(limits_of(defaults, router), timeouts=spoken.timeouts)


def _said(given: WrittenTimeouts | Attempts | None) -> dict[str, Any]:
    return given.model_dump(exclude_none=True) if given is not None else {}


def policy_of(source: RouterSource, defaults: Defaults) -> Policy:
    """The policy of a router file. Raises ConfigError with the place of what the ground floor refuses."""
    router = source.router
    conditions, findings = _conditions(source)
    try:
        policy = Policy(
            name=router.router,
            kind=router.kind,
            unit=router.units,
            salt=router.salt or "",
            routes=tuple(_route(route, router, conditions.get(route.id)) for route in router.routes),
            default=_route(router.default, router, conditions.get(router.default.id)) if router.default else None,
            fallbacks=router.fallbacks,
            intents=router.intents,
            experiment=_experiment(router.experiment) if router.experiment is not None else None,
            assign="growthbook-v2" if router.hash == "growthbook-v2" else router.assign,
            limits=limits_of(defaults, router),
            spoken_limits=spoken_limits_of(defaults, router),
        )
    except PolicyError as error:
        path = _path(source.root, error.path)
        line, column = place(source.root, path)
        findings.append(Finding(source.file, error.message, line, column, spell(source.root, path)))
    if findings:
        raise ConfigError(findings, {source.file: source.text})
    return policy


def _conditions(source: RouterSource) -> tuple[dict[str, Condition], list[Finding]]:
    """Every condition compiled, by route id; every one that will not compile as a finding."""
    compiled: dict[str, Condition] = {}
    findings: list[Finding] = []
    places: list[tuple[Path, written.Route]] = [(("routes", n), route) for n, route in enumerate(source.router.routes)]
    if source.router.default is not None:
        places.append((("default",), source.router.default))
    for path, route in places:
        if route.when is None:
            if path[0] == "routes":
                line, column = place(source.root, path)
                remedy = 'write `when: "true"`, or make it the default route'
                findings.append(
                    Finding(source.file, "has no condition", line, column, spell(source.root, path), remedy)
                )
            continue
        try:
            compiled[route.id] = Condition(route.when)
        except ConditionError as error:
            findings.append(_condition_finding(source, (*path, "when"), error))
    return compiled, findings


def _condition_finding(source: RouterSource, path: Path, error: ConditionError) -> Finding:
    line, column = place(source.root, path)
    node = at(source.root, path)
    if node is not None and error.line == 1 and "\n" not in error.expression:
        quoted = 0 if node.plain else 1
        column += error.column - 1 + quoted
    its = f"line {error.line}, character {error.column}" if error.line > 1 else f"character {error.column}"
    message = f"not a CEL expression: {error.message} (its {its})"
    return Finding(source.file, message, line, column, spell(source.root, path))


def _path(root: Node, path: Sequence[Any]) -> Path:
    """The ground floor's path in the file's spelling: `choice` is flat there, `condition` is `when`."""
    found: Path = ()
    for part in path:
        steps = _SPELLED.get(part, (part,)) if isinstance(part, str) else (part,)
        for step in steps:
            if at(root, (*found, step)) is not None:
                found = (*found, step)
    return found


def _route(route: written.Route, router: written.RouterFile, condition: Condition | None) -> Route:
    return Route(
        id=route.id,
        variants=tuple(_variant(variant, router.defaults) for variant in route.variants),
        condition=condition,
    )


def _variant(variant: written.Variant, defaults: written.RouterDefaults | None) -> Variant:
    ordering = variant.provider or written.Ordering()
    fallback = variant.fallback or (defaults.fallback if defaults is not None else None)
    messages = variant.messages or (defaults.messages if defaults is not None else ())
    return Variant(
        id=variant.id,
        weight=variant.weight,
        choice=ModelChoice(
            model=variant.model,
            fallbacks=variant.fallbacks,
            sort=tuple(_sort(key) for key in variant.sort),
            models=variant.models,
            ignore=variant.ignore,
            provider_order=ordering.order,
            allow_fallbacks=ordering.allow_fallbacks,
        ),
        parameters=_parameters(variant, defaults),
        messages=tuple({key: part for key, part in message.items() if key != "compression"} for message in messages),
        first_token_s=ttft.seconds(fallback.ttft_timeout) if fallback is not None else None,
        unmet=("web_search: no search engine is configured; answered without it",) if variant.web_search else (),
    )


def _parameters(variant: written.Variant, defaults: written.RouterDefaults | None) -> dict[str, Any]:
    """What a provider may see, in OpenAI's words: a variant's own replace the defaults whole."""
    parameters = dict(variant.parameters or (defaults.parameters if defaults is not None else {}))
    reasoning = parameters.pop("reasoning", None)
    if isinstance(reasoning, Mapping) and reasoning.get("effort") is not None:
        parameters["reasoning_effort"] = reasoning["effort"]
    for alias, name in written.ALIASES.items():
        if alias in parameters:
            parameters[name] = parameters.pop(alias)
    if variant.web_search_options is not None:
        parameters["web_search_options"] = variant.web_search_options
    return parameters


def _sort(key: written.SortKey | str) -> str:
    if isinstance(key, str):
        return key
    return f"{key.metric}:{key.direction}" if key.direction else key.metric


def _experiment(given: written.Experiment) -> Experiment:
    ramp = given.rollout
    return Experiment(
        enabled=given.enabled,
        control=given.control,
        layer=Layer(given.layer.name, *given.layer.slots) if given.layer is not None else None,
        holdout=given.holdout,
        coverage=given.coverage,
        rollout=Rollout(
            route=ramp.route,
            variant=ramp.variant,
            start_s=ramp.start.timestamp(),
            steps=tuple((seconds(after), weight) for after, weight in ramp.steps),
        )
        if ramp is not None
        else None,
        metrics=tuple(Metric(metric.name, metric.kind) for metric in given.metrics),
        guardrails=tuple(Guardrail(g.metric, g.max_increase, g.max_ratio) for g in given.guardrails),
    )


def seconds(text: str) -> float:
    """`24h` -> 86400.0; the pattern was checked when the file was read."""
    return float(text[:-1]) * _UNITS_S[text[-1]]
