import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from policies import Outcome, Target
from router.metrics import TABLE, LabelSets, Metrics, reference
from tests.router.records_samples import BACKUP, PRICED, attempt, decision, facts, record, told

LABELS = LabelSets(
    routes=frozenset({"support/default"}),
    variants=frozenset({"cheap"}),
    targets=frozenset({"openai/gpt"}),
    known=lambda name: name == "demo/fast",
)


@pytest.fixture
def metrics():
    metrics = Metrics(CollectorRegistry())
    metrics.configured(LABELS, "abc")
    return metrics


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(name, labels)


def test_a_request_with_a_fallback_is_counted_in_all_three_views(metrics):
    failed = attempt(outcome=Outcome.HTTP_5XX, began_s=10.0, took_s=0.2)
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    told(metrics, record(attempts=[failed, attempt(BACKUP, began_s=10.2, took_s=0.8)], usage=usage, streamed=True))
    where = {"protocol": "chat", "route": "support/default", "variant": "cheap"}
    assert value(metrics, "rr_requests_total", **where, outcome="success", error_class="none") == 1
    assert value(metrics, "rr_decisions_total", **where, reason="weight") == 1
    ended = {"protocol": "chat", "target": "openai/gpt", "outcome": "error", "error_class": "http_5xx"}
    assert value(metrics, "rr_attempts_total", **ended) == 1
    assert value(metrics, "rr_fallbacks_total", **{"from": "openai/gpt", "to": "demo/fast", "reason": "http_5xx"}) == 1
    assert value(metrics, "rr_tokens_total", direction="output", target="demo/fast") == 5
    assert value(metrics, "rr_cost_usd_total", target="demo/fast") is None
    assert value(metrics, "rr_overhead_seconds_sum") == pytest.approx(0.1)
    assert value(metrics, "rr_time_per_output_token_seconds_sum", target="demo/fast") == pytest.approx(0.7 / 4)
    assert value(metrics, "rr_experiment_assignments_total", experiment="support/default", variant="cheap") == 1


def test_cost_is_the_list_price_of_what_the_provider_counted(metrics):
    told(metrics, record(usage={"prompt_tokens": 1000, "completion_tokens": 500}))
    assert value(metrics, "rr_cost_usd_total", target="openai/gpt") == pytest.approx(0.002)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": 4}, {"total_tokens": "many"}])
def test_answers_without_usable_usage_are_counted_apart(metrics, usage):
    told(metrics, record(usage=usage))
    assert value(metrics, "rr_no_usage_total", target="openai/gpt") == 1
    assert value(metrics, "rr_tokens_total", direction="input", target="openai/gpt") is None


def test_cancelled_is_neither_success_nor_error_and_failures_bill_nothing(metrics):
    gone = attempt(outcome=Outcome.CANCELLED_BY_CLIENT)
    told(metrics, record(attempts=[gone], outcome=Outcome.CANCELLED_BY_CLIENT))
    where = {"protocol": "chat", "route": "support/default", "variant": "cheap"}
    ended = {"outcome": "cancelled", "error_class": "cancelled_by_client"}
    assert value(metrics, "rr_requests_total", **where, **ended) == 1
    assert value(metrics, "rr_no_usage_total", target="openai/gpt") is None


def test_requests_under_way_return_to_zero_even_across_a_reload(metrics):
    shared = decision()
    for _ in range(2):
        metrics.on_decision(shared, facts())
    assert value(metrics, "rr_inflight", route="support/default") == 2
    metrics.configured(LabelSets(), "def")
    for _ in range(2):
        metrics.on_finish(record(shared))
    assert value(metrics, "rr_inflight", route="support/default") == 0


def test_only_the_configuration_in_force_is_shown(metrics):
    metrics.configured(LABELS, "def")
    metrics.reloaded(success=True)
    metrics.reloaded(success=False)
    assert value(metrics, "rr_config_info", hash="abc") is None
    assert value(metrics, "rr_config_info", hash="def") == 1
    assert value(metrics, "rr_config_reload_total", result="failure") == 1


def test_attempts_of_a_voice_session_are_counted_as_realtime(metrics):
    said = record(attempts=[attempt(stage="tts")], kind="tts")
    told(metrics, said, facts(protocol="realtime"))
    metrics.on_attempt(attempt(stage="stt"), decision(variant="another"))
    ended = {"target": "openai/gpt", "outcome": "success", "error_class": "none"}
    assert value(metrics, "rr_attempts_total", protocol="realtime", **ended) == 2
    assert value(metrics, "rr_no_usage_total", target="openai/gpt") is None


def test_voice_stages_are_a_closed_set(metrics):
    metrics.voice_stage("first_audio", 0.3)
    metrics.voice_stage("made_up", 0.1)
    assert value(metrics, "rr_voice_stage_seconds_count", stage="first_audio") == 1
    assert value(metrics, "rr_voice_stage_seconds_count", stage="other") == 1


def test_first_audio_counts_for_the_route_and_variant_that_wrote_the_reply(metrics):
    name = "rr_time_to_first_audio_seconds_count"
    metrics.first_audio(0.3, decision())
    metrics.first_audio(0.3, decision(variant="another"))
    metrics.first_audio(0.3, None)
    assert value(metrics, name, route="support/default", variant="cheap") == 1
    assert value(metrics, name, route="support/default", variant="other") == 1
    assert value(metrics, name, route="none", variant="none") == 1


def test_circuits_are_read_at_the_scrape_and_forgotten_with_their_targets(metrics):
    metrics.circuits = lambda: {"openai/gpt": 2, "demo/fast": 0, "x/1": 1, "x/2": 0}
    metrics.render()
    assert value(metrics, "rr_circuit_state", target="openai/gpt") == 2
    assert value(metrics, "rr_circuit_state", target="other") == 1
    metrics.circuits = dict
    metrics.render()
    assert value(metrics, "rr_circuit_state", target="openai/gpt") is None


def test_ceilings_of_targets_that_share_a_label_are_added_up(metrics):
    metrics.ceilings = lambda: {"openai/gpt": 7, "x/1": 2, "x/2": 3}
    metrics.render()
    assert value(metrics, "rr_target_ceiling", target="openai/gpt") == 7
    assert value(metrics, "rr_target_ceiling", target="other") == 5


def test_retries_left_are_told_by_router_and_of_what_is_called_directly(metrics):
    metrics.render()
    assert value(metrics, "rr_retry_budget_remaining", pool="support") == 3
    assert value(metrics, "rr_retry_budget_remaining", pool="direct") == 3
    metrics.retries_left = lambda: {"support": 9, "some/model": 1, "other/model": 2}
    metrics.render()
    assert value(metrics, "rr_retry_budget_remaining", pool="support") == 9
    assert value(metrics, "rr_retry_budget_remaining", pool="direct") == 1
    metrics.configured(LabelSets(), "x")
    metrics.render()
    assert value(metrics, "rr_retry_budget_remaining", pool="support") is None


def test_a_hundred_thousand_random_names_add_no_series(metrics):
    told(metrics, record())
    told(metrics, stranger(0))
    exposed, before = len(metrics.render()[0].splitlines()), metrics.series.count()
    began = time.perf_counter()
    for n in range(1, 100_001):
        told(metrics, stranger(n), facts(user=f"user-{n}", metadata={f"key-{n}": n}))
    per_request_us = (time.perf_counter() - began) * 10
    assert metrics.series.count() == before
    assert len(metrics.render()[0].splitlines()) == exposed
    assert per_request_us < 1000


def stranger(n):
    target = Target(f"provider-{n}", f"model-{n}")
    decided = decision(router=f"router-{n}", route=f"/path/{n}", variant=f"variant-{n}")
    tried = [attempt(target, Outcome.HTTP_5XX), attempt(target)]
    return record(decided, tried, request_id=f"r-{n}", usage={"prompt_tokens": n + 1, "completion_tokens": n + 1})


def test_the_cap_on_series_holds_and_says_so():
    metrics = Metrics(CollectorRegistry(), max_series=60)
    metrics.configured(LabelSets(known=lambda _: True), "x")
    for n in range(500):
        metrics.on_attempt(attempt(Target("p", f"m{n}")), decision())
    assert metrics.series.count() < 150
    assert value(metrics, "rr_series_dropped_total") > 1000
    ended = {"protocol": "other", "target": "other", "outcome": "other", "error_class": "other"}
    assert value(metrics, "rr_attempts_total", **ended) > 300


def test_both_expositions_parse_and_carry_exemplars_of_traced_requests():
    metrics = Metrics(CollectorRegistry(), process=True)
    metrics.configured(LABELS, "abc")
    told(metrics, record(trace_id="4bf92f3577b34da6a3ce929d0e0e4736"))
    text, kind = metrics.render("text/plain")
    assert kind.startswith("text/plain")
    families = {family.name for family in text_string_to_metric_families(text.decode())}
    assert {"rr_requests", "process_resident_memory_bytes"} <= families
    assert b"_created" not in text
    text, kind = metrics.render("application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert '# {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}' in text.decode()
    assert any(family.name == "rr_request_duration_seconds" for family in parse_openmetrics(text.decode()))


def test_empty_answers_are_counted(metrics):
    empty = attempt(outcome=Outcome.EMPTY_RESPONSE, status_code=200)
    told(metrics, record(attempts=[empty], outcome=Outcome.EMPTY_RESPONSE))
    for status in (200, 307):
        said = attempt(outcome=Outcome.MALFORMED_RESPONSE, status_code=status)
        told(metrics, record(attempts=[said], outcome=Outcome.MALFORMED_RESPONSE))
    for reason in ("empty_response", "malformed_response"):
        assert value(metrics, "rr_empty_responses_total", target=PRICED.name, reason=reason) == 1


def test_the_reference_is_current_and_complete():
    page = Path("docs/metrics.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m router.metrics > docs/metrics.md"
    assert all(f"`{row.name}`" in page for row in TABLE)


def test_requests_without_a_router_are_direct(metrics):
    told(metrics, record(decision(router=None, route=None, variant=None)))
    where = {"protocol": "chat", "route": "direct", "variant": "none", "outcome": "success", "error_class": "none"}
    assert value(metrics, "rr_requests_total", **where) == 1
