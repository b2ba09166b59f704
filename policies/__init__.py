"""Ground floor: pure decisions. Facts in, decision out; no I/O, no clock, no chance.

Everything another floor may use is exported here.
"""

from .attempt import Attempt, ErrorDetail
from .bucketing import bucket, unit_of
from .ceiling import Ceiling
from .condition import Condition, ConditionError
from .cooldown import Breaker, CooldownRule
from .decision import Decision, Reason, TestedCondition
from .experiment import Experiment, Guardrail, Layer, Metric, Rollout
from .facts import Facts, Needs, RoutingOptions, TargetHealth
from .fault import PolicyError
from .ordering import SortMetric
from .outcome import Outcome, Rule, classify
from .plan import Candidate, Hedge, Limits, Plan, Stop, StopReason, Timeouts, Try
from .policy import Policy
from .refusal import BadRoutingField, NoRouteMatched, RoutingRefusal, UnknownModel, UnknownRouter
from .route import ModelChoice, Route, Variant
from .table import RoutingTable
from .target import Feature, Prices, Target
from .targets import Targets
from .template import render

__all__ = [
    "Attempt",
    "BadRoutingField",
    "Breaker",
    "Candidate",
    "Ceiling",
    "Condition",
    "ConditionError",
    "CooldownRule",
    "Decision",
    "ErrorDetail",
    "Experiment",
    "Facts",
    "Feature",
    "Guardrail",
    "Hedge",
    "Layer",
    "Limits",
    "Metric",
    "ModelChoice",
    "Needs",
    "NoRouteMatched",
    "Outcome",
    "Plan",
    "Policy",
    "PolicyError",
    "Prices",
    "Reason",
    "Rollout",
    "Route",
    "RoutingOptions",
    "RoutingRefusal",
    "RoutingTable",
    "Rule",
    "SortMetric",
    "Stop",
    "StopReason",
    "Target",
    "TargetHealth",
    "Targets",
    "TestedCondition",
    "Timeouts",
    "Try",
    "UnknownModel",
    "UnknownRouter",
    "Variant",
    "bucket",
    "classify",
    "render",
    "unit_of",
]
