"""Ends in other words: close codes and error events as outcomes, refusals as close codes, responses as metrics."""

import pytest

from policies import Outcome
from realtime.outcomes import OUTCOMES
from realtime.relay.books import outcome_of
from realtime.relay.endings import close_code, in_session, lost_as, refused_as
from router.refusal import Refusal


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (None, "reset_before_commit"),
        (1006, "reset_before_commit"),
        (1000, "in_band_error"),
        (1008, "in_band_error"),
        (1011, "http_5xx"),
        (1013, "overloaded"),
        (3000, "upstream_auth"),
        (4000, "model_not_found"),
        (4711, "in_band_error"),
    ],
)
def test_a_close_code_is_an_outcome(code, outcome):
    fault = lost_as(code, "key sk-secret-123456 is wrong")
    assert fault.outcome == outcome
    assert "sk-secret" not in fault.message


@pytest.mark.parametrize(
    ("code", "kind", "outcome"),
    [
        ("invalid_api_key", "invalid_request_error", "upstream_auth"),
        ("insufficient_quota", "x", "quota_exhausted"),
        (None, "rate_limit_error", "rate_limited"),
        ("model_not_found", "x", "model_not_found"),
        ("odd", "odd", "in_band_error"),
    ],
)
def test_an_error_in_place_of_a_session_is_an_outcome(code, kind, outcome):
    assert refused_as({"error": {"code": code, "type": kind, "message": "m"}}).outcome == outcome


def test_the_last_word_says_more_than_the_close_code():
    limited = in_session(lost_as(1008), {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow"})
    assert limited.outcome == Outcome.RATE_LIMITED
    assert limited.error.message == "the provider closed with 1008; before that: slow"
    odd = in_session(lost_as(None), {"type": "server_error", "message": "oops"})
    assert (odd.outcome, odd.error.code) == (Outcome.RESET_AFTER_COMMIT, "reset_after_commit")
    assert in_session(lost_as(1011), None).outcome == Outcome.HTTP_5XX


@pytest.mark.parametrize(
    ("status", "code"), [(429, 1008), (503, 1013), (502, 1011), (504, 1011), (404, 4000), (400, 4000)]
)
def test_a_refusal_closes_with_a_code(status, code):
    assert close_code(Refusal(status, "x")) == code


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        ({"status": "cancelled", "status_details": {"reason": "turn_detected"}}, "interrupted"),
        ({"status": "cancelled", "status_details": None}, "cancelled"),
        ({"status": "failed"}, "failed"),
        ({"status": "incomplete"}, "incomplete"),
        ({"status": "completed", "output": [{"type": "function_call"}]}, "tool"),
        ({"status": "completed", "output": [{}]}, "answered"),
        ({"output": 7}, "empty"),
    ],
)
def test_every_end_of_a_response_is_one_of_the_closed_set(response, outcome):
    assert outcome_of(response) == outcome
    assert outcome in OUTCOMES
