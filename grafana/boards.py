"""The three boards: Router, Realtime, Experiments. Every metric of the table is on one of them or in a rule."""

from realtime.latency import STAGES

from .panels import Board, Panel, Query, Variable
from .rules import OURS, TRIPPED

RATE = "[$__rate_interval]"
ROUTE = 'route=~"$route"'
TARGET = 'target=~"$target"'
EXPERIMENT = 'experiment=~"$experiment"'
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
STATES = {"0": "closed", "1": "probed", "2": "resting"}


def per_s(metric: str, by: str, where: str = "") -> str:
    """Events a second."""
    return f"sum by ({by}) (rate({metric}{{{where}}}{RATE}))" if by else f"sum(rate({metric}{{{where}}}{RATE}))"


def share(part: str, whole: str) -> str:
    """A ratio of two rates; nothing where nothing happened."""
    return f"({part}) / ({whole})"


def quantile(q: float, metric: str, by: str = "", where: str = "") -> str:
    """A quantile from a histogram's buckets."""
    names = f"le, {by}" if by else "le"
    return f"histogram_quantile({q:g}, sum by ({names}) (rate({metric}_bucket{{{where}}}{RATE})))"


def spread(metric: str, where: str = "", *, exemplars: bool = False) -> tuple[Query, ...]:
    """Median, p95 and p99."""
    return tuple(Query(quantile(q, metric, where=where), name, exemplars) for q, name in QUANTILES)


def mean(metric: str, by: str, where: str = "") -> str:
    """The mean of a histogram."""
    return share(per_s(f"{metric}_sum", by, where), per_s(f"{metric}_count", by, where))


def since(metric: str, where: str) -> str:
    """The mean of a histogram in the time chosen for the board: one figure, also while nothing happens."""
    return share(*(f"sum(increase({metric}_{part}{{{where}}}[$__range]))" for part in ("sum", "count")))


REQUESTS = per_s("rr_requests_total", "", ROUTE)
FAILED = per_s("rr_requests_total", "", f"{ROUTE}, {OURS}")
TRAFFIC = (
    Panel("Requests by outcome", "What clients got, a second.",
          (Query(per_s("rr_requests_total", "outcome", ROUTE), "{{outcome}}"),), "reqps", stacked=True),
    Panel("Errors", "Share of requests that ended as an error; what callers cancelled or did wrong does not count.",
          (Query(share(f"{FAILED} or vector(0)", REQUESTS), "errors"),),
          "percentunit", "stat", 4, red_from=0.05),
    Panel("Under way", "Requests that have begun and not ended.",
          (Query(f"sum by (route) (rr_inflight{{{ROUTE}}})", "{{route}}"),), width=6),
    Panel("Errors by class", "Why requests failed in the end, after all fallbacks.",
          (Query(per_s("rr_requests_total", "error_class", f'{ROUTE}, outcome="error"'), "{{error_class}}"),),
          "reqps", width=6, stacked=True),
    Panel("Decisions by route and variant", "Which route matched, which variant it led to.",
          (Query(per_s("rr_decisions_total", "route, variant", ROUTE), "{{route}} {{variant}}"),), "reqps",
          width=12, stacked=True),
    Panel("Decisions by reason", "Drawn by weight, single variant, named by the caller, held out ...",
          (Query(per_s("rr_decisions_total", "reason", ROUTE), "{{reason}}"),), "reqps", width=12, stacked=True),
)  # fmt: skip
TARGETS = (
    Panel("Attempts by target", "Calls to targets; more than requests where calls fall back.",
          (Query(per_s("rr_attempts_total", "target, outcome", TARGET), "{{target}} {{outcome}}"),), "reqps", width=12),
    Panel("Failed attempts by class", "What targets did wrong.",
          (Query(per_s("rr_attempts_total", "target, error_class", f'{TARGET}, outcome="error"'),
                 "{{target}} {{error_class}}"),), "reqps", width=12, stacked=True),
    Panel("Fallbacks", "Steps from one target to the next.",
          (Query(per_s("rr_fallbacks_total", "from, to, reason"), "{{from}} → {{to}} ({{reason}})"),), "cps",
          width=10),
    Panel("Attempts a request", "1 when everything answers at once.",
          (Query(share(per_s("rr_attempts_total", "", 'protocol="chat"'),
                       per_s("rr_requests_total", "", 'protocol="chat"')), "attempts"),), kind="stat", width=4),
    Panel("Cool-downs", "Resting targets are passed over until their rest is over and a probe has answered.",
          (Query(f"max by (target) (rr_circuit_state{{{TARGET}}})", "{{target}}"),), width=10, mappings=STATES),
    Panel("Retries left", "What each router may still retry at once; at 0 a failure is not tried elsewhere.",
          (Query("min by (pool) (rr_retry_budget_remaining)", "{{pool}}"),), width=12),
    Panel("Ceilings", "Calls that a target which has answered 429 may have under way at once.",
          (Query(f"sum by (target) (rr_target_ceiling{{{TARGET}}})", "{{target}}"),), width=12),
)  # fmt: skip
TIMES = (
    Panel("Duration of requests", "Arrival to last byte. Points are traces.",
          spread("rr_request_duration_seconds", ROUTE, exemplars=True), "s"),
    Panel("Time to first token", "Call to first meaningful delta.",
          spread("rr_time_to_first_token_seconds", TARGET), "s"),
    Panel("Overhead", "The router's own time: duration of a request without its calls.",
          spread("rr_overhead_seconds"), "s", red_from=0.05),
    Panel("Time to first token by target, p95", "Where first tokens come late.",
          (Query(quantile(0.95, "rr_time_to_first_token_seconds", "target", TARGET), "{{target}}"),), "s"),
    Panel("Duration of attempts by target, p95", "Call to last byte.",
          (Query(quantile(0.95, "rr_attempt_duration_seconds", "target", TARGET), "{{target}}"),), "s"),
    Panel("Time per output token by target", "The pace of streams behind their first token, median.",
          (Query(quantile(0.5, "rr_time_per_output_token_seconds", "target", TARGET), "{{target}}"),), "s"),
)  # fmt: skip
TOKENS = (
    Panel("Tokens a second", "As the provider counted them.",
          (Query(per_s("rr_tokens_total", "direction, target", TARGET), "{{direction}} {{target}}"),), stacked=True),
    Panel("Tokens of a request", "Median and p95.",
          (Query(quantile(0.5, "rr_tokens_per_request", "direction"), "{{direction}} p50"),
           Query(quantile(0.95, "rr_tokens_per_request", "direction"), "{{direction}} p95"))),
    Panel("Cost an hour", "List price of answered attempts.",
          (Query(f"3600 * {per_s('rr_cost_usd_total', 'target', TARGET)}", "{{target}}"),), "currencyUSD",
          stacked=True),
    Panel("Answers that lack something", "No token count (cost unknown), no content, broken events.",
          (Query(per_s("rr_no_usage_total", "target", TARGET), "no usage {{target}}"),
           Query(per_s("rr_empty_responses_total", "target", TARGET), "empty {{target}}"),
           Query(per_s("rr_malformed_events_total", "target", TARGET), "malformed {{target}}")), "cps", width=6),
    Panel("Event loop lag, p99", "How late the router's own loop is.",
          (Query(quantile(0.99, "rr_event_loop_lag_seconds"), "lag"),), "s", width=6, red_from=0.1),
    Panel("CPU", "Share of one core. A router process has one.",
          (Query(f"sum by (instance) (rate(process_cpu_seconds_total{RATE}))", "{{instance}}"),), "percentunit",
          width=6),
    Panel("Memory", "Resident memory of each process.",
          (Query("process_resident_memory_bytes", "{{instance}}"),), "bytes", width=6),
    Panel("Configuration in force", "Hash by instance: different hashes mean a reload that did not reach everybody.",
          (Query("count by (hash) (rr_config_info)", "{{hash}}"),), kind="stat"),
    Panel("Reloads", "In the chosen time.",
          (Query("sum by (result) (increase(rr_config_reload_total[$__range]))", "{{result}}"),), kind="stat",
          whole=True),
    Panel("Dropped", "Record rows and log lines that found no room; observations beyond the cap on series.",
          (Query("sum(increase(rr_records_dropped_total[$__range]))", "records"),
           Query("sum(increase(rr_log_lines_dropped_total[$__range]))", "log lines"),
           Query("sum(increase(rr_series_dropped_total[$__range]))", "series")), kind="stat", red_from=1, whole=True),
)  # fmt: skip
ROUTER = Board(
    "rr-router", "Realtime Router: router", "What clients got, what each call did, and why it was chosen.",
    (Variable("route", "label_values(rr_requests_total, route)"),
     Variable("target", "label_values(rr_attempts_total, target)")),
    {"Traffic and decisions": TRAFFIC, "Targets": TARGETS, "Time": TIMES, "Tokens, cost and the process": TOKENS},
)  # fmt: skip

STAGE = "rr_voice_stage_seconds"
INSIDE = 'stage!~"first_audio|barge_in"'
FIRST_AUDIO = 'stage="first_audio"'
BARGE_IN = 'stage="barge_in"'
SESSIONS = (
    Panel("Sessions", "Connected now.", (Query("sum(rr_ws_sessions)", "sessions"),), kind="stat", width=4, whole=True),
    Panel("Turns", "Replies a second by how they ended; empty: nothing was said.",
          (Query(per_s("rr_voice_turns_total", "outcome"), "{{outcome}}"),), "cps", width=6),
    Panel("End-to-end latency", "Last speech sample to the first audio byte written.", spread(STAGE, FIRST_AUDIO), "s",
          width=14, red_from=1.5),
    Panel("Latency waterfall", "Mean of each stage in the chosen time, in order: together the way to first audio.",
          tuple(Query(since(STAGE, f'stage="{stage}"'), stage) for stage in STAGES.values()), "s", "bargauge", 8),
    Panel("Stages over time", "Means, stacked: together the way to the first audio.",
          (Query(mean(STAGE, "stage", INSIDE), "{{stage}}"),), "s", width=8, stacked=True),
    Panel("Stages, p95", "Where slow turns lose their time.",
          (Query(quantile(0.95, STAGE, "stage", INSIDE), "{{stage}}"),), "s", width=8),
    Panel("First audio by route, p95", "For sessions of a router.",
          (Query(quantile(0.95, "rr_time_to_first_audio_seconds", "route"), "{{route}}"),), "s"),
    Panel("First audio by variant, p95", "Sides of an experiment, as callers feel them.",
          (Query(quantile(0.95, "rr_time_to_first_audio_seconds", "variant"), "{{variant}}"),), "s"),
    Panel("Barge-in", "First interrupting speech to the cancelled reply.", spread(STAGE, BARGE_IN), "s"),
    Panel("Interruptions", "Replies cut off, a second.",
          (Query(per_s("rr_voice_interruptions_total", "cause"), "{{cause}}"),), "cps"),
)  # fmt: skip
CALLS = per_s("rr_voice_attempts_total", "stage")
CALLS_FAILED = per_s("rr_voice_attempts_total", "stage", 'outcome="error"')
SPEECH = (
    Panel("Attempts by stage", "Calls of voice sessions: hearing, answering, speaking.",
          (Query(per_s("rr_voice_attempts_total", "stage, target, outcome"), "{{stage}} {{target}} {{outcome}}"),),
          "reqps", width=12),
    Panel("Failed attempts by stage", "Share of a stage's calls.",
          (Query(share(f"{CALLS_FAILED} or 0 * {CALLS}", CALLS), "{{stage}}"),), "percentunit", width=6),
    Panel("Speculation", "Replies begun on a guess; the adopted ones save their first token's time.",
          (Query(per_s("rr_voice_speculations_total", "outcome"), "{{outcome}}"),), "cps", width=6),
    Panel("Speech detector: load", "Share of the event loop's time.",
          (Query(f"rate(rr_vad_busy_seconds_total{RATE})", "{{instance}}"),), "percentunit", red_from=0.5),
    Panel("Speech detector: audio", "Seconds of audio scored a second, about the number of speaking sessions.",
          (Query(f"0.032 * sum(rate(rr_vad_frames_total{RATE}))", "audio"),), "none"),
    Panel("Speech detector: batch", "Frames scored together.",
          (Query(share(per_s("rr_vad_frames_total", ""), per_s("rr_vad_rounds_total", "")), "frames a round"),),
          "none"),
)  # fmt: skip
REALTIME = Board(
    "rr-realtime", "Realtime Router: voice", "Sessions, turns, and where the time of a turn goes.", (),
    {"Sessions and turns": SESSIONS, "Speech": SPEECH},
)  # fmt: skip

EXPOSURES = (
    Panel("Exposures", "Requests that met a variant, a second; one unit may meet it often.",
          (Query(per_s("rr_experiment_assignments_total", "experiment, variant", EXPERIMENT),
                 "{{experiment}} {{variant}}"),), "reqps", width=12),
    Panel("Distinct units", "Units that drew a variant, each counted once.",
          (Query(f"sum by (experiment, variant) (rr_experiment_units{{{EXPERIMENT}}})", "{{experiment}} {{variant}}"),),
          width=12),
    Panel("Shares against weights", "Solid: share of the units. Dashed: the configured weight.",
          (Query(f"rr:experiment_units:share{{{EXPERIMENT}}}", "{{experiment}} {{variant}}"),
           Query(f"avg by (experiment, variant) (rr_experiment_weight{{{EXPERIMENT}}})",
                 "{{experiment}} {{variant}} configured")), "percentunit", width=12, band=True),
    Panel("Mismatch: evidence", "Against the configured shares, at any time. From 1000 on do not trust the experiment.",
          (Query(f"max by (experiment) (rr_experiment_srm_evidence{{{EXPERIMENT}}})", "{{experiment}}"),),
          kind="stat", width=4, red_from=1000),
    Panel("Mismatch: p-value", "Chi-square; for one look, not for watching. Empty below 8 units a variant.",
          (Query(f"min by (experiment) (rr_experiment_srm_pvalue{{{EXPERIMENT}}})", "{{experiment}}"),), "none",
          "stat", 4, red_below=0.001),
    Panel("Guardrails tripped", "Experiments whose users all get the control now, by process.",
          (Query(TRIPPED, "{{experiment}}"),), kind="stat", width=4, red_from=1, whole=True),
)  # fmt: skip


def interval(name: str, *, share: bool = False) -> tuple[Query, ...]:
    """An estimate with its confidence sequence; a share ends at 1."""
    value, half = f"rr:experiment_{name}{{{EXPERIMENT}}}", f"rr:experiment_{name}:half_width{{{EXPERIMENT}}}"
    legend = "{{experiment}} {{variant}}"
    low, high = f"clamp_min({value} - {half}, 0)", f"{value} + {half}"
    capped = f"clamp_max({high}, 1)" if share else high
    return Query(value, legend), Query(low, f"{legend} low"), Query(capped, f"{legend} high")


OUTCOMES = (
    Panel("Success by variant", "Answered share since the start, with its 95 % confidence sequence (of requests).",
          interval("success", share=True), "percentunit", width=12, band=True),
    Panel("Duration by variant", "Mean of answered requests with its 95 % confidence sequence (of requests).",
          interval("duration"), "s", width=12, band=True),
    Panel("Outcomes by variant", "Requests a second.",
          (Query(per_s("rr_experiment_outcomes_total", "experiment, variant, outcome", EXPERIMENT),
                 "{{experiment}} {{variant}} {{outcome}}"),), "reqps", width=12),
    Panel("Duration by variant, p95", "Answered requests.",
          (Query(quantile(0.95, "rr_experiment_duration_seconds", "experiment, variant", EXPERIMENT),
                 "{{experiment}} {{variant}}"),), "s", width=12),
)  # fmt: skip
EXPERIMENTS = Board(
    "rr-experiments", "Realtime Router: experiments",
    "Who met what, whether the split is sound, and what came of it. Confidence sequences may be watched; a decision is "
    "made from a report over units.",
    (Variable("experiment", "label_values(rr_experiment_weight, experiment)"),),
    {"Exposures and split": EXPOSURES, "Outcome and latency": OUTCOMES},
)  # fmt: skip
BOARDS = {"router": ROUTER, "realtime": REALTIME, "experiments": EXPERIMENTS}
