"""Every metric there is: name, kind, labels, meaning. The code, the reference and the dashboards are made from it."""

from dataclasses import dataclass
from typing import Literal

DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
OVERHEAD_BUCKETS = (0.0001, 0.0002, 0.0004, 0.0008, 0.0016, 0.0032, 0.0064, 0.0128, 0.0256, 0.0512, 0.1024, 0.5, 2.0)
VOICE_BUCKETS = (
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.13,
    0.16,
    0.2,
    0.25,
    0.32,
    0.45,
    0.64,
    0.9,
    1.28,
    2.56,
    5.12,
)
PER_TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKEN_BUCKETS = tuple(float(4**n) for n in range(14))

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric family. A counter's name is written with `_total`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    about: str
    buckets: tuple[float, ...] = ()


TABLE: tuple[Row, ...] = (
    Row("rr_requests_total", "counter", ("protocol", "route", "variant", "outcome", "error_class"),
        "Requests by how they ended for the client: success, error or cancelled."),
    Row("rr_attempts_total", "counter", ("protocol", "target", "outcome", "error_class"),
        "Calls to targets by how they ended."),
    Row("rr_decisions_total", "counter", ("protocol", "route", "variant", "reason"),
        "Decisions that were carried out, by reason."),
    Row("rr_fallbacks_total", "counter", ("from", "to", "reason"),
        "Steps of the fallback walk from one target to the next, by the error class that caused them."),
    Row("rr_request_duration_seconds", "histogram", ("route",),
        "From the request's arrival to its last byte.", DURATION_BUCKETS),
    Row("rr_attempt_duration_seconds", "histogram", ("target",),
        "From the call to its last byte.", DURATION_BUCKETS),
    Row("rr_time_to_first_token_seconds", "histogram", ("target",),
        "From the call to the first meaningful delta.", DURATION_BUCKETS),
    Row("rr_time_per_output_token_seconds", "histogram", ("target",),
        "Time after the first token over the tokens that followed, for streams.", PER_TOKEN_BUCKETS),
    Row("rr_time_to_first_audio_seconds", "histogram", ("route", "variant"),
        "From the end of the user's speech to the first audio byte written, by what the reply was routed to.",
        VOICE_BUCKETS),
    Row("rr_overhead_seconds", "histogram", (),
        "Own time of a request: its duration without its calls.", OVERHEAD_BUCKETS),
    Row("rr_tokens_total", "counter", ("direction", "target"),
        "Tokens as the provider counted them; direction is input or output."),
    Row("rr_tokens_per_request", "histogram", ("direction",),
        "Tokens of one request.", TOKEN_BUCKETS),
    Row("rr_cost_usd_total", "counter", ("target",),
        "List price of the tokens of attempts that answered, in US dollars."),
    Row("rr_no_usage_total", "counter", ("target",),
        "Answers without a usable token count: their cost is unknown."),
    Row("rr_empty_responses_total", "counter", ("target", "reason"),
        "Successes (2xx) that were none: empty_response (nothing said), malformed_response (not what was asked for)."),
    Row("rr_malformed_events_total", "counter", ("target",),
        "Events in streams that were no JSON and were left out."),
    Row("rr_inflight", "gauge", ("route",), "Requests under way."),
    Row("rr_circuit_state", "gauge", ("target",), "0 closed, 1 being probed or in slow start, 2 resting."),
    Row("rr_target_ceiling", "gauge", ("target",),
        "Calls a target that has answered 429 may have under way at once; falls with a 429, rises while calls wait."),
    Row("rr_retry_budget_remaining", "gauge", ("pool",),
        "Retries that a router (or what is called directly) may still have under way; at 0 failures are final."),
    Row("rr_ws_sessions", "gauge", (), "Realtime sessions connected."),
    Row("rr_voice_stage_seconds", "histogram", ("stage",),
        "Latency of a voice stage: speech_end, stt_final, llm_first_token, tts_first_byte, first_audio, barge_in.",
        VOICE_BUCKETS),
    Row("rr_voice_interruptions_total", "counter", ("cause",), "Replies cut off, by cause."),
    Row("rr_voice_turns_total", "counter", ("outcome",),
        "Replies of voice sessions by how they ended: answered, tool, interrupted, cancelled, incomplete, failed, or "
        "empty (nothing was said)."),
    Row("rr_voice_attempts_total", "counter", ("stage", "target", "outcome"),
        "Calls of voice sessions by stage: stt, llm, tts, or realtime (a connection to one that speaks itself)."),
    Row("rr_voice_speculations_total", "counter", ("outcome",),
        "Replies begun on a guess inside the silence window: begun, adopted or dropped."),
    Row("rr_vad_frames_total", "counter", (), "Frames of 32 ms scored by the speech detector, all sessions together."),
    Row("rr_vad_rounds_total", "counter", (), "Rounds of the speech detector; one scores up to 48 sessions' frames."),
    Row("rr_vad_busy_seconds_total", "counter", (), "Time the event loop spent scoring speech."),
    Row("rr_experiment_assignments_total", "counter", ("experiment", "variant"),
        "Exposures, forced ones left out: a unit's request met a variant; experiment is the router's name and route."),
    Row("rr_experiment_srm_pvalue", "gauge", ("experiment",),
        "Sample-ratio-mismatch test: a small value says that units arrive in other shares than configured."),
    Row("rr_experiment_srm_evidence", "gauge", ("experiment",),
        "The same as a Bayes factor that may be watched all day: an alarm from 1000 on."),
    Row("rr_experiment_weight", "gauge", ("experiment", "variant"),
        "Configured share of the units that take part, from 0 to 1; follows a rollout."),
    Row("rr_experiment_units", "gauge", ("experiment", "variant"),
        "Distinct units that drew a variant since the router's version came into force, first seen; up to 200,000."),
    Row("rr_experiment_tripped", "gauge", ("experiment",),
        "1 while a guardrail of this router has tripped in this process and everybody gets the control."),
    Row("rr_experiment_outcomes_total", "counter", ("experiment", "variant", "outcome"),
        "Requests whose variant was drawn, by how they ended: success, error or cancelled."),
    Row("rr_experiment_duration_seconds", "histogram", ("experiment", "variant"),
        "Duration of answered requests whose variant was drawn.", DURATION_BUCKETS),
    Row("rr_experiment_duration_squares_total", "counter", ("experiment", "variant"),
        "Sum of the squares of those durations, for intervals around their mean."),
    Row("rr_event_loop_lag_seconds", "histogram", (),
        "How late a timer of the event loop fires.", OVERHEAD_BUCKETS),
    Row("rr_config_reload_total", "counter", ("result",), "Reloads of the configuration: success or failure."),
    Row("rr_config_info", "gauge", ("hash",), "1 for the configuration in force."),
    Row("rr_records_dropped_total", "counter", (), "Rows that the record writer could not take in time."),
    Row("rr_log_lines_dropped_total", "counter", (), "Log lines that nobody took: a blocked pipe, a full disk."),
    Row("rr_series_dropped_total", "counter", (),
        "Observations counted under `other` since the cap on series was reached."),
)  # fmt: skip
BY_NAME = {row.name: row for row in TABLE}
STAGES = frozenset({"speech_end", "stt_final", "llm_first_token", "tts_first_byte", "first_audio", "barge_in"})
