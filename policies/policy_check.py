"""What a policy must be: weights that sum to 100, ids that are unique, an experiment that can be run as written."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import TYPE_CHECKING, get_args

from .bucketing import BUCKETS
from .experiment import GUARDED, Experiment, Guardrail, Layer, Rollout
from .fault import Path, PolicyError
from .naming import router_in
from .ordering import SortMetric, criterion
from .refusal import suggestion
from .route import Route, Variant, Weight, exact
from .split import Assign

if TYPE_CHECKING:
    from .policy import Policy

HUNDRED = Fraction(100)
RESERVED = ("models",)
OWN_SALTS = ("layer/", "holdout/")


def check(policy: "Policy") -> None:
    """Raise PolicyError for the first thing that is wrong."""
    if policy.name in RESERVED:
        raise PolicyError(("name",), f"{policy.name!r} is reserved: 'inworld/models/…' are models, not a router")
    _name(("salt",), "salt", policy.salt)
    if policy.salt.startswith(OWN_SALTS):
        raise PolicyError(("salt",), f"must not begin with {' or '.join(OWN_SALTS)}: those are drawn with already")
    if policy.assign not in get_args(Assign):
        raise PolicyError(("assign",), f"must be one of {', '.join(get_args(Assign))}, is {policy.assign!r}")
    if not policy.every_route:
        raise PolicyError(("routes",), "a router needs a route or a default route")
    seen: set[str] = set()
    for path, route in placed_routes(policy):
        _name((*path, "id"), "route id", route.id)
        if route.id in seen:
            raise PolicyError((*path, "id"), f"the route id {route.id!r} is used twice; ids are unique within a router")
        seen.add(route.id)
        _route(path, route)
    _reachable(policy)
    if policy.default and policy.default.condition:
        raise PolicyError(("default", "when"), "the default route takes whatever is left, so it has no condition")
    _models(("fallbacks",), policy.fallbacks)
    if policy.experiment:
        _experiment(policy, policy.experiment)


def placed_routes(policy: "Policy") -> Iterable[tuple[Path, Route]]:
    """Every route with the path that leads to it."""
    for position, route in enumerate(policy.routes):
        yield ("routes", position), route
    if policy.default:
        yield ("default",), policy.default


def _reachable(policy: "Policy") -> None:
    closed_by: str | None = None
    for position, route in enumerate(policy.routes):
        if closed_by is not None:
            message = f"route {route.id!r} is unreachable: route {closed_by!r} before it always matches"
            raise PolicyError(("routes", position), f"{message}; move it up, or give {closed_by!r} a condition")
        if route.condition is None or route.condition.always:
            closed_by = route.id


def _route(path: Path, route: Route) -> None:
    if not route.variants:
        raise PolicyError((*path, "variants"), f"route {route.id!r} has no variants")
    seen: set[str] = set()
    for position, variant in enumerate(route.variants):
        at = (*path, "variants", position)
        _name((*at, "id"), "variant id", variant.id)
        if variant.id in seen:
            raise PolicyError((*at, "id"), f"the variant id {variant.id!r} is used twice in route {route.id!r}")
        seen.add(variant.id)
        _percentage((*at, "weight"), variant.weight)
        _variant(at, variant)
    total = sum((exact(variant.weight) for variant in route.variants), Fraction(0))
    if total != HUNDRED:
        written = format(Decimal(total.numerator) / Decimal(total.denominator), "f")
        raise PolicyError(
            (*path, "variants"), f"the weights of route {route.id!r} must sum to 100, they sum to {written}"
        )


def _variant(at: Path, variant: Variant) -> None:
    choice = variant.choice
    _models((*at, "model"), (choice.model,), listed=False)
    _models((*at, "fallbacks"), choice.fallbacks)
    _models((*at, "models"), choice.models)
    for position, text in enumerate(choice.sort):
        if criterion(text) is None:
            near = get_close_matches(text, [metric.value for metric in SortMetric], n=1)
            raise PolicyError(
                (*at, "sort", position), f"{text!r} is no metric; known are {', '.join(SortMetric)}{suggestion(near)}"
            )


def _models(at: Path, models: Sequence[str], *, listed: bool = True) -> None:
    for position, model in enumerate(models):
        where = (*at, position) if listed else at
        if not model.strip():
            raise PolicyError(where, "a model is 'provider/model', a bare model or 'auto', not empty")
        if router_in(model) is not None:
            raise PolicyError(where, f"{model!r} is a router; a router leads to models, not to another router")


def _experiment(policy: "Policy", experiment: Experiment) -> None:
    at: Path = ("experiment",)
    _percentage((*at, "holdout"), experiment.holdout)
    _percentage((*at, "coverage"), experiment.coverage)
    if experiment.control is not None:
        _control(policy, experiment.control)
    if experiment.layer:
        _layer((*at, "layer"), experiment.layer)
    if experiment.rollout:
        _rollout(policy, experiment.rollout)
    for position, guardrail in enumerate(experiment.guardrails):
        _guardrail((*at, "guardrails", position), guardrail)


def _guardrail(at: Path, guardrail: Guardrail) -> None:
    if guardrail.metric not in GUARDED:
        near = get_close_matches(guardrail.metric, GUARDED, n=1)
        known = f"known are {', '.join(GUARDED)}"
        raise PolicyError((*at, "metric"), f"{guardrail.metric!r} cannot be guarded; {known}{suggestion(near)}")
    if guardrail.max_increase is None and guardrail.max_ratio is None:
        raise PolicyError(at, "a guardrail needs max_increase or max_ratio: how much worse than control it may get")
    if guardrail.max_increase is not None and guardrail.max_increase < 0:
        raise PolicyError((*at, "max_increase"), f"must be 0 or more, is {guardrail.max_increase}")
    if guardrail.max_ratio is not None and guardrail.max_ratio < 1:
        raise PolicyError((*at, "max_ratio"), f"must be 1 or more, is {guardrail.max_ratio}: 1.2 allows 20 % more")


def _control(policy: "Policy", control: str) -> None:
    at = ("experiment", "control")
    every = {variant.id for route in policy.every_route for variant in route.variants}
    if control not in every:
        near = get_close_matches(control, sorted(every), n=1)
        raise PolicyError(at, f"no variant is called {control!r}{suggestion(near)}")
    for route in policy.every_route:
        if len(route.variants) > 1 and control not in {variant.id for variant in route.variants}:
            raise PolicyError(at, f"route {route.id!r} has several variants and none of them is called {control!r}")


def _layer(at: Path, layer: Layer) -> None:
    _name((*at, "name"), "layer name", layer.name)
    _percentage((*at, "slots", 0), layer.start)
    _percentage((*at, "slots", 1), layer.stop)
    if exact(layer.start) >= exact(layer.stop):
        raise PolicyError((*at, "slots"), f"the slots must grow, they are {layer.start} to {layer.stop}")


def _rollout(policy: "Policy", rollout: Rollout) -> None:
    at: Path = ("experiment", "rollout")
    route = next((route for route in policy.every_route if route.id == rollout.route), None)
    if route is None:
        near = get_close_matches(rollout.route, [route.id for route in policy.every_route], n=1)
        raise PolicyError((*at, "route"), f"no route is called {rollout.route!r}{suggestion(near)}")
    if rollout.variant not in {variant.id for variant in route.variants}:
        near = get_close_matches(rollout.variant, [variant.id for variant in route.variants], n=1)
        raise PolicyError((*at, "variant"), f"route {route.id!r} has no variant {rollout.variant!r}{suggestion(near)}")
    if not any(exact(variant.weight) for variant in route.variants if variant.id != rollout.variant):
        raise PolicyError((*at, "variant"), f"no other variant of route {route.id!r} has a weight to share the rest by")
    if not rollout.steps:
        raise PolicyError((*at, "steps"), "a rollout needs at least one step")
    for position, (after_s, percent) in enumerate(rollout.steps):
        _percentage((*at, "steps", position, 1), percent)
        if position and after_s <= rollout.steps[position - 1][0]:
            raise PolicyError((*at, "steps", position, 0), "the steps must grow in time")
        if position and exact(percent) < exact(rollout.steps[position - 1][1]):
            raise PolicyError((*at, "steps", position, 1), "the share must not shrink: who has the variant keeps it")


def _percentage(at: Path, value: Weight) -> None:
    if isinstance(value, bool) or value != value or abs(value) == float("inf"):  # noqa: PLR0124  NaN is not itself
        raise PolicyError(at, f"must be a number from 0 to 100, is {value}")
    share = exact(value)
    if not 0 <= share <= HUNDRED:
        raise PolicyError(at, f"must be from 0 to 100, is {value}")
    if 0 < share * BUCKETS < HUNDRED:
        raise PolicyError(at, f"must be 0 or at least {float(HUNDRED / BUCKETS):.4f}, is {value}: it would take nobody")


def _name(at: Path, what: str, name: str) -> None:
    if not name.strip():
        raise PolicyError(at, f"the {what} must not be empty")
    if ":" in name:
        raise PolicyError(at, f"a ':' is refused in a {what} (it separates salt and unit), {name!r} has one")
