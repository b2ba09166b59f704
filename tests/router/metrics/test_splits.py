"""Splits on the board: shares as configured, units counted once, a mismatch that shows, versions that begin anew."""

import pytest
from prometheus_client import CollectorRegistry

from policies import Outcome, Reason
from router.metrics import Metrics
from router.metrics import splits as room
from router.record import Warned
from tests.router.metrics.test_observer import LABELS, value
from tests.router.records_samples import attempt, decision, facts, record, told

SHARES = {("support", "default"): {"cheap": 0.5, "dear": 0.5}}
HERE = {"experiment": "support/default"}


@pytest.fixture
def metrics():
    metrics = Metrics(CollectorRegistry())
    metrics.configured(LABELS, "abc", lambda _wall_s: SHARES)
    return metrics


def drew(variant="cheap", **fields):
    return (
        decision(variant=variant, unit="user", experiment="v1") if not fields else decision(variant=variant, **fields)
    )


def shown(metrics, name, **labels):
    metrics.render()
    return value(metrics, name, **HERE, **labels)


def test_configured_shares_are_shown_and_follow_the_time(metrics):
    assert shown(metrics, "rr_experiment_weight", variant="dear") == 0.5
    assert shown(metrics, "rr_experiment_units", variant="dear") == 0
    metrics.configured(LABELS, "def", lambda _wall_s: {("support", "default"): {"cheap": 0.9, "new": 0.1}})
    assert shown(metrics, "rr_experiment_weight", variant="new") == 0.1
    assert shown(metrics, "rr_experiment_weight", variant="dear") is None


def test_a_unit_counts_once_however_often_it_asks(metrics):
    for _ in range(3):
        metrics.on_exposure(drew(), facts("anna"))
    metrics.on_exposure(drew(), facts("bert"))
    assert shown(metrics, "rr_experiment_units", variant="cheap") == 2


def test_requests_without_a_unit_count_by_themselves(metrics):
    for seed in ("s1", "s2"):
        metrics.on_exposure(drew(unit=None, experiment="v1"), facts(None, seed=seed))
    assert shown(metrics, "rr_experiment_units", variant="cheap") == 2


@pytest.mark.parametrize("fields", [{"variant": "forced"}, {"router": None, "route": None}, {"route": "other"}])
def test_who_was_not_drawn_in_a_split_is_not_counted(metrics, fields):
    metrics.on_exposure(decision(**fields), facts())
    told(metrics, record(decision(**fields)))
    assert shown(metrics, "rr_experiment_units", variant="cheap") == 0
    assert shown(metrics, "rr_experiment_outcomes_total", variant="cheap", outcome="success") is None


def test_a_forced_variant_is_no_draw(metrics):
    forced = record(decision())
    object.__setattr__(forced.decision, "reason", Reason.FORCED)
    told(metrics, forced)
    assert value(metrics, "rr_experiment_assignments_total", experiment="support/default", variant="cheap") is None
    assert shown(metrics, "rr_experiment_units", variant="cheap") == 0


def test_a_mismatch_shows_in_both_figures(metrics):
    for n in range(20):
        metrics.on_exposure(drew(("cheap", "dear")[n % 2]), facts(f"even-{n}"))
    assert shown(metrics, "rr_experiment_srm_pvalue") == 1.0
    assert shown(metrics, "rr_experiment_srm_evidence") == pytest.approx(1, rel=0.05)
    for n in range(3000):
        metrics.on_exposure(drew(("cheap", "cheap", "dear")[n % 3]), facts(f"skewed-{n}"))
    assert shown(metrics, "rr_experiment_srm_pvalue") < 1e-6
    assert shown(metrics, "rr_experiment_srm_evidence") > 1000


def test_a_new_version_of_the_router_begins_anew(metrics):
    metrics.on_exposure(drew(), facts("anna"))
    metrics.on_exposure(drew(unit="user", experiment="v2"), facts("bert"))
    assert shown(metrics, "rr_experiment_units", variant="cheap") == 1
    metrics.configured(LABELS, "def")
    assert shown(metrics, "rr_experiment_units", variant="cheap") is None


def test_no_more_units_are_remembered_than_there_is_room_for(metrics, monkeypatch):
    monkeypatch.setattr(room, "MOST_UNITS", 2)
    for name in "abc":
        metrics.on_exposure(drew(), facts(name))
    assert shown(metrics, "rr_experiment_units", variant="cheap") == 2


def test_outcomes_and_times_are_kept_by_variant(metrics):
    told(metrics, record(drew()))
    told(metrics, record(drew(), outcome=Outcome.HTTP_5XX))
    assert shown(metrics, "rr_experiment_outcomes_total", variant="cheap", outcome="error") == 1
    assert shown(metrics, "rr_experiment_duration_seconds_sum", variant="cheap") == pytest.approx(1.1)
    assert shown(metrics, "rr_experiment_duration_squares_total", variant="cheap") == pytest.approx(1.21)


def test_the_load_of_the_speech_detector_is_read_at_the_scrape(metrics):
    class Load:
        frames, rounds, busy_s = 64, 2, 0.5

    metrics.detector = Load
    metrics.render()
    assert value(metrics, "rr_vad_frames_total") == 64
    assert value(metrics, "rr_vad_rounds_total") == 2
    assert value(metrics, "rr_vad_busy_seconds_total") == 0.5


def test_malformed_events_and_calls_of_a_voice_stage_are_counted(metrics):
    told(metrics, record(attempts=[attempt(stage="stt")], warnings=[Warned("malformed_events", "3", 3)]))
    assert value(metrics, "rr_malformed_events_total", target="openai/gpt") == 3
    assert value(metrics, "rr_voice_attempts_total", stage="stt", target="openai/gpt", outcome="success") == 1
