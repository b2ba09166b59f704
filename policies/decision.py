"""What was chosen and why."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from .frozen import frozen
from .plan import Plan


class Reason(StrEnum):
    """Why this variant (or model): a closed set, also a metric label."""

    SPECIFIED = "specified"  # the caller named provider/model
    BARE_MODEL = "bare_model"  # the caller named a model that several providers offer
    AUTO = "auto"
    ALIAS = "alias"
    WEIGHT = "weight"  # drawn by weight
    SINGLE = "single"  # the route has one variant
    HOLDOUT = "holdout"
    LAYER = "layer"  # outside the experiment's slots
    COVERAGE = "coverage"  # outside the experiment's coverage
    DISABLED = "disabled"  # kill switch
    GUARDRAIL = "guardrail"
    FORCED = "forced"


@frozen
class TestedCondition:
    """One route's condition and what came of it."""

    route_id: str
    expression: str
    matched: bool
    error: str | None = None


@frozen
class Decision:
    """A pure function of (configuration, facts): the same inputs give the same decision."""

    requested: str  # the model string as asked
    model: str  # the first choice as a model string
    reason: Reason
    plan: Plan
    router: str | None = None
    route_id: str | None = None
    variant_id: str | None = None
    experiment: str | None = None  # checksum that names the version of router and experiment
    sticky: bool = False
    unit: str | None = None  # which key the unit came from, e.g. "user"; never its value
    bucket: int | None = None
    propensity: float | None = None
    seed: str | None = None  # set when the draw was per request
    conditions: tuple[TestedCondition, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)  # variant's; the request's own win
    messages: tuple[Mapping[str, Any], ...] = ()  # rendered templates, to stand before the request's messages
    warnings: tuple[str, ...] = ()
