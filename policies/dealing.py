"""Dealing: which variant of a route a unit is given, and why.

Order of evaluation: kill switch, tripped guardrail, forced variant, holdout, layer, coverage, weight. Whoever does not
take part is given the control.
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from .bucketing import BUCKETS, bucket
from .decision import Reason
from .experiment import Experiment, Rollout
from .facts import Facts
from .frozen import frozen
from .refusal import BadRoutingField
from .route import Route, Variant, Weight, exact
from .split import WHOLE, Split

if TYPE_CHECKING:
    from .policy import Policy

FORCED_HEADER = "x-rr-variant"
REMEMBERED = 4096  # units dealt at one share of a rollout; then all are forgotten


@frozen
class Deal:
    """A variant, and how it came about. `propensity` is None where chance had no part in it."""

    variant: Variant
    reason: Reason
    bucket: int | None = None
    propensity: float | None = None


class Dealer:
    """Deals the variants of one route. Everything that does not depend on the unit is worked out beforehand."""

    __slots__ = ("_by_id", "_control", "_dealt", "_experiment", "_policy", "_rollout", "_route", "_shares", "_splits")

    def __init__(self, policy: "Policy", route: Route) -> None:
        self._policy = policy.name
        self._route = route.id
        self._control = policy.control(route)
        self._by_id = {variant.id: variant for variant in route.variants}
        self._experiment = policy.experiment or Experiment()
        rollout = self._experiment.rollout
        self._rollout = rollout if rollout and rollout.route == route.id else None
        salt = policy.salt if policy.assign == "growthbook-v2" else f"{policy.salt}/{route.id}"
        self._splits = {
            share: Split(salt, weights, policy.assign, exact(self._experiment.coverage))
            for share, weights in _weights(route, self._rollout).items()
        }
        self._shares = {share: self._propensities(split) for share, split in self._splits.items()}
        self._dealt: dict[tuple[Fraction | None, str], Deal] = {}

    def deal(self, unit: str, facts: Facts) -> Deal:
        """The unit's variant. Raises BadRoutingField for a forced variant that the route does not have."""
        if not self._experiment.enabled:
            return Deal(self._control, Reason.DISABLED, propensity=1.0)
        if self._policy in facts.tripped:
            return Deal(self._control, Reason.GUARDRAIL, propensity=1.0)
        if facts.forced_variant is not None:
            return Deal(self._forced(facts.forced_variant), Reason.FORCED)
        if len(self._by_id) == 1:
            return Deal(self._control, Reason.SINGLE, propensity=1.0)
        share = self._rollout.share(facts.wall_s) if self._rollout else None
        if unit is facts.seed:
            return self._drawn(share, unit)  # fresh for each request: nobody asks again
        dealt = self._dealt.get((share, unit))
        if dealt is None:
            dealt = self._drawn(share, unit)
            if len(self._dealt) >= REMEMBERED:
                self._dealt.clear()
            self._dealt[share, unit] = dealt
        return dealt

    def _drawn(self, share: Fraction | None, unit: str) -> Deal:
        draw = self._splits[share].draw(unit)
        reason = self._left_out(unit) or (Reason.COVERAGE if draw.variant is None else Reason.WEIGHT)
        given = self._control.id if reason is not Reason.WEIGHT or draw.variant is None else draw.variant
        return Deal(self._by_id[given], reason, draw.bucket, self._shares[share][given])

    def weights(self, wall_s: float) -> Mapping[str, float]:
        """The share of each variant among those who take part at this time; variants nobody meets are left out."""
        share = self._rollout.share(wall_s) if self._rollout else None
        return {name: float(weight / WHOLE) for name, weight in self._splits[share].weights if weight > 0}

    def _left_out(self, unit: str) -> Reason | None:
        if self._experiment.holdout and bucket(f"holdout/{self._policy}", unit) < _place(self._experiment.holdout):
            return Reason.HOLDOUT
        layer = self._experiment.layer
        if layer and not _place(layer.start) <= bucket(f"layer/{layer.name}", unit) < _place(layer.stop):
            return Reason.LAYER
        return None

    def _forced(self, name: str) -> Variant:
        if name in self._by_id:
            return self._by_id[name]
        known = ", ".join(sorted(self._by_id))
        raise BadRoutingField(f"route {self._route!r} has no variant {name!r}; it has {known}", param=FORCED_HEADER)

    def _propensities(self, split: Split) -> Mapping[str, float]:
        """Probability of each variant over all units, those left out included."""
        layer = self._experiment.layer
        admitted = (WHOLE - exact(self._experiment.holdout)) * split.coverage / WHOLE / WHOLE
        if layer:
            admitted *= (exact(layer.stop) - exact(layer.start)) / WHOLE
        rest = {self._control.id: 1 - admitted}
        return {name: float(admitted * split.propensity(name) + rest.get(name, 0)) for name in self._by_id}


def _place(percentage: Weight) -> int:
    return math.ceil(exact(percentage) * BUCKETS / WHOLE)


def _weights(route: Route, rollout: Rollout | None) -> dict[Fraction | None, tuple[tuple[str, Fraction], ...]]:
    """The route's weights by share of the variant that is rolled out; under None without a rollout."""
    plain = {variant.id: exact(variant.weight) for variant in route.variants}
    if rollout is None:
        return {None: tuple(plain.items())}
    others = WHOLE - plain[rollout.variant]
    by_share: dict[Fraction | None, tuple[tuple[str, Fraction], ...]] = {}
    for share in (Fraction(0), *(exact(percent) for _, percent in rollout.steps)):
        scaled = {name: weight * (WHOLE - share) / others for name, weight in plain.items()}
        by_share[share] = tuple({**scaled, rollout.variant: share}.items())
    return by_share
