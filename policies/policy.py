"""A policy: one router file as a value. Everything that can be wrong with it is found when it is made."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any, Literal, get_args

from .condition import Condition
from .experiment import Experiment
from .plan import Limits
from .policy_check import check
from .route import ModelChoice, Route, Variant
from .split import Assign

Kind = Literal["chat", "transcription", "speech", "realtime"]
KINDS = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Policy:
    """A router: routes in order, a default, fallbacks for all of them, and an experiment.

    `unit` are the keys of who is randomised, the first one present counts. `salt` is the name if empty. `checksum`
    names this version; it is computed. Raises PolicyError, whose path leads to what is wrong.
    """

    name: str
    kind: Kind = "chat"
    unit: tuple[str, ...] = ("user",)
    salt: str = ""
    routes: tuple[Route, ...] = ()
    default: Route | None = None
    fallbacks: tuple[str, ...] = ()
    intents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    experiment: Experiment | None = None
    assign: Assign = "rendezvous"
    limits: Limits | None = None
    spoken_limits: Limits | None = None  # in voice sessions; None: the same
    checksum: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "salt", self.salt or self.name)
        check(self)
        object.__setattr__(self, "checksum", checksum(self))

    @property
    def every_route(self) -> tuple[Route, ...]:
        """The routes in the order they are tested, the default one last."""
        return (*self.routes, self.default) if self.default else self.routes

    def references(self) -> frozenset[str]:
        """The variables that any condition asks for."""
        asked = (route.condition.references() for route in self.routes if route.condition)
        return frozenset[str]().union(*asked)

    def control(self, route: Route) -> Variant:
        """The variant for everybody who does not take part: the named control, else the route's first."""
        named = self.experiment.control if self.experiment else None
        return next((variant for variant in route.variants if variant.id == named), route.variants[0])

    def warnings(self) -> tuple[str, ...]:
        """What is allowed and probably not meant."""
        found = []
        closed_by: str | None = None
        for route in self.routes:
            if route.condition is None or route.condition.always:
                closed_by = route.id
        if closed_by is not None and self.default is not None:
            found.append(f"default route {self.default.id!r} is unreachable: route {closed_by!r} always matches")
        if closed_by is None and self.default is None:
            found.append("no default route: a request that matches no condition is refused")
        return tuple(found)

    def models(self) -> Iterable[str]:
        """Every model string the policy names, with repetitions."""
        for route in self.every_route:
            for variant in route.variants:
                yield from choice_models(variant.choice)
        yield from self.fallbacks


def choice_models(choice: ModelChoice) -> tuple[str, ...]:
    """The model strings of one choice in the order they are tried."""
    return (choice.model, *choice.fallbacks, *choice.models)


def checksum(policy: Policy) -> str:
    """12 hexadecimal digits of SHA-256 over the policy's canonical form, which leaves the checksum out."""
    form = {part.name: _canonical(getattr(policy, part.name)) for part in fields(policy) if part.name != "checksum"}
    text = json.dumps(form, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:12]


def _canonical(value: Any) -> Any:
    """Plain JSON values; 50, 50.0 and Decimal(50) are the same number."""
    if isinstance(value, Condition):
        return value.expression
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    if isinstance(value, Fraction | Decimal):
        value = float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if is_dataclass(value):
        return {part.name: _canonical(getattr(value, part.name)) for part in fields(value) if part.compare}
    return value
