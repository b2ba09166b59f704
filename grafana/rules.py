"""Recording and alert rules. An alert is an expression that always has a value, and the limit it must not reach.

Half widths of intervals are asymptotic confidence sequences (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences", 2021), 95 %, tightest at 5,000 requests: they
hold at every look, so a board may show them. rho^2 = (-2 ln alpha + ln(1 - 2 ln alpha)) / 5000, equation 161 there.
"""

from dataclasses import dataclass
from typing import Any, Literal

from policies.outcome import RULES
from router.metrics.labels import TURNED_AWAY

RUNBOOK = "docs/operations.md"
CALLERS_OWN = sorted(
    {outcome.value for outcome, rule in RULES.items() if rule.passes}
    | {word for status, word in TURNED_AWAY.items() if status < 500}
)
OURS = f'outcome="error", error_class!~"{"|".join(CALLERS_OWN)}"'  # what a caller did wrong alarms nobody
ALPHA, RHO_SQUARED = 0.05, 0.00158723
BY = "by (experiment, variant)"
ENDED, TIMED = "rr:experiment_requests", "rr:experiment_answered"


def half_width(variance: str, n: str) -> str:
    """Half the width of the confidence sequence of a mean."""
    grown = f"({n} * {RHO_SQUARED:g} + 1)"
    return f"sqrt({variance} * 2 * {grown} / ({n} ^ 2 * {RHO_SQUARED:g}) * ln(sqrt({grown}) / {ALPHA:g}))"


SMOOTHED = f"(rr:experiment_success * {ENDED} + 1) / ({ENDED} + 2)"  # all or none answered is no proof that it stays so
RECORDED = {  # in this order: later ones use earlier ones
    "rr:experiment_units:share": f"sum {BY} (rr_experiment_units)"
    " / on (experiment) group_left () sum by (experiment) (rr_experiment_units)",
    ENDED: f'sum {BY} (rr_experiment_outcomes_total{{outcome!="cancelled"}})',
    TIMED: f"sum {BY} (rr_experiment_duration_seconds_count)",
    "rr:experiment_success": f'(sum {BY} (rr_experiment_outcomes_total{{outcome="success"}}) or 0 * {ENDED}) / {ENDED}',
    "rr:experiment_success:half_width": half_width(f"{SMOOTHED} * (1 - {SMOOTHED})", ENDED),
    "rr:experiment_duration": f"sum {BY} (rr_experiment_duration_seconds_sum) / {TIMED}",
    "rr:experiment_duration:half_width": half_width(
        f"clamp_min(sum {BY} (rr_experiment_duration_squares_total) / {TIMED} - rr:experiment_duration ^ 2, 0)", TIMED
    ),
}


@dataclass(frozen=True, slots=True)
class Alert:
    """Fires while `value` is on the wrong side of `limit` for `for_`."""

    name: str
    summary: str
    value: str
    sign: Literal[">", ">=", "<"]
    limit: float
    for_: str = "5m"
    severity: Literal["page", "ticket"] = "ticket"

    def document(self) -> dict[str, Any]:
        """The rule as Prometheus reads it."""
        annotations = {"summary": self.summary, "runbook": f"{RUNBOOK}#{self.name.lower()}"}
        return {
            "alert": self.name,
            "expr": f"{self.value} {self.sign} {self.limit:g}",
            "for": self.for_,
            "labels": {"severity": self.severity},
            "annotations": annotations,
        }


def rate(metric: str, where: str = "", by: str = "") -> str:
    """Events a second over five minutes."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}[5m]))"


def p(q: float, metric: str, where: str = "") -> str:
    """A quantile over five minutes."""
    return f"histogram_quantile({q:g}, sum by (le) (rate({metric}_bucket{{{where}}}[5m])))"


REQUESTS = rate("rr_requests_total")
VOICE = "rr_voice_attempts_total"
TRIPPED = "(sum by (experiment) (rr_experiment_tripped) or vector(0))"  # a series only while one has
ERROR, SUCCESS = 'outcome="error"', 'outcome="success"'
ALERTS = (
    Alert("RouterDown", "{{ $labels.instance }} does not answer its scrape.",
          'up{job="realtime-router"}', "<", 1, "1m", "page"),
    Alert("RouterErrors", "{{ $value | humanizePercentage }} of requests end as errors, after all fallbacks.",
          f"({rate('rr_requests_total', OURS)}) / ({REQUESTS})", ">", 0.05, "5m", "page"),
    Alert("RouterFallingBack", "{{ $value | humanizePercentage }} of requests need another target than their first.",
          f"({rate('rr_fallbacks_total')}) / ({REQUESTS})", ">", 0.25, "10m"),
    Alert("RouterTargetResting", "{{ $labels.target }} has been passed over for ten minutes.",
          "max by (target) (rr_circuit_state)", ">=", 2, "10m"),
    Alert("RouterUsageMissing", "Requests succeed at {{ $labels.target }} and tokens are not counted: cost is unknown.",
          f"({rate('rr_no_usage_total', by='target')}) / ({rate('rr_attempts_total', SUCCESS, 'target')})",
          ">", 0.5, "15m"),
    Alert("RouterOverhead", "The router itself takes {{ $value | humanizeDuration }} of a request (p99).",
          p(0.99, "rr_overhead_seconds"), ">", 0.05, "10m"),
    Alert("RouterLoopBlocked", "The event loop is {{ $value | humanizeDuration }} late (p99).",
          p(0.99, "rr_event_loop_lag_seconds"), ">", 0.1),
    Alert("RouterReloadFailed", "A configuration was refused; the one before is still in force.",
          'increase(rr_config_reload_total{result="failure"}[15m])', ">", 0, "0m"),
    Alert("RouterRecordsDropped", "Records could not be written in time.",
          "increase(rr_records_dropped_total[15m])", ">", 0, "0m"),
    Alert("RouterSeriesDropped", "The cap on series is reached; new names count as 'other'.",
          "increase(rr_series_dropped_total[15m])", ">", 0, "0m"),
    Alert("VoiceSlow", "One turn of twenty waits {{ $value | humanizeDuration }} or longer for its first audio.",
          p(0.95, "rr_voice_stage_seconds", 'stage="first_audio"'), ">", 1.5, "10m"),
    Alert("VoiceStageFailing", "{{ $value | humanizePercentage }} of {{ $labels.stage }} calls fail.",
          f"({rate(VOICE, ERROR, 'stage')}) / ({rate(VOICE, by='stage')})", ">", 0.1),
    Alert("VoiceDetectorBusy", "Speech detection takes {{ $value | humanizePercentage }} of {{ $labels.instance }}.",
          "rate(rr_vad_busy_seconds_total[5m])", ">", 0.5),
    Alert("ExperimentMismatch", "Units of {{ $labels.experiment }} do not arrive in the configured shares.",
          "max by (experiment) (rr_experiment_srm_evidence)", ">=", 1000, "0m"),
    Alert("ExperimentTripped", "A guardrail of {{ $labels.experiment }} has tripped: everybody gets the control.",
          TRIPPED, ">", 0, "0m"),
)  # fmt: skip


def recording_document() -> dict[str, Any]:
    """The file of recording rules; rules of a group run in order."""
    return {"groups": [{"name": "realtime-router-experiments", "rules": [
        {"record": name, "expr": expr} for name, expr in RECORDED.items()]}]}  # fmt: skip


def alerts_document() -> dict[str, Any]:
    """The file of alert rules."""
    return {"groups": [{"name": "realtime-router", "rules": [alert.document() for alert in ALERTS]}]}
