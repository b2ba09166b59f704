"""Ground floor: pure decisions. Facts in, decision out; no I/O, no clock, no chance.

Everything another floor may use is exported here.
"""

from .attempt import Attempt, ErrorDetail
from .cooldown import Breaker, CooldownRule
from .decision import Decision, Reason, TestedCondition
from .facts import Facts, Needs, RoutingOptions
from .outcome import Outcome, Rule, classify
from .plan import Candidate, Limits, Plan, Stop, StopReason, Timeouts, Try
from .target import Feature, Prices, Target

__all__ = [
    "Attempt",
    "Breaker",
    "Candidate",
    "CooldownRule",
    "Decision",
    "ErrorDetail",
    "Facts",
    "Feature",
    "Limits",
    "Needs",
    "Outcome",
    "Plan",
    "Prices",
    "Reason",
    "RoutingOptions",
    "Rule",
    "Stop",
    "StopReason",
    "Target",
    "TestedCondition",
    "Timeouts",
    "Try",
    "classify",
]
