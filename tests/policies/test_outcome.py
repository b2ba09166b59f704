"""The table of error classes, and how an answer finds its class."""

import pytest

from policies import Outcome, classify
from policies.outcome import RULES


def test_every_outcome_has_a_rule():
    assert set(RULES) == set(Outcome)


def test_a_refused_provider_key_is_never_shown_as_the_clients_own():
    assert all(rule.status not in (401, 403) for rule in RULES.values())


def test_only_the_clients_own_doing_and_ours_does_not_fall_back():
    final = {outcome for outcome, rule in RULES.items() if not rule.fall_back}
    assert final == {
        Outcome.SUCCESS,
        Outcome.DEADLINE,
        Outcome.BAD_REQUEST,
        Outcome.CONTENT_FILTER,
        Outcome.CANCELLED_BY_CLIENT,
        Outcome.CIRCUIT_OPEN,
        Outcome.BUDGET_EXHAUSTED,
    }


@pytest.mark.parametrize(
    ("status", "words", "expected"),
    [
        (400, {}, Outcome.BAD_REQUEST),
        (418, {}, Outcome.BAD_REQUEST),
        (400, {"code": "context_length_exceeded"}, Outcome.CONTEXT_LENGTH),
        (400, {"message": "This model's maximum context length is 8192 tokens"}, Outcome.CONTEXT_LENGTH),
        (413, {}, Outcome.CONTEXT_LENGTH),
        (400, {"code": "content_policy_violation"}, Outcome.CONTENT_FILTER),
        (400, {"kind": "unsupported_parameter"}, Outcome.UNSUPPORTED_PARAM),
        (422, {"message": "This model does not support tools"}, Outcome.UNSUPPORTED_PARAM),
        (404, {}, Outcome.MODEL_NOT_FOUND),
        (400, {"code": "model_not_found"}, Outcome.MODEL_NOT_FOUND),
        (401, {}, Outcome.UPSTREAM_AUTH),
        (403, {}, Outcome.UPSTREAM_AUTH),
        (402, {}, Outcome.QUOTA_EXHAUSTED),
        (429, {"code": "insufficient_quota"}, Outcome.QUOTA_EXHAUSTED),
        (429, {"code": "rate_limit_exceeded"}, Outcome.RATE_LIMITED),
        (408, {}, Outcome.HTTP_408),
        (409, {}, Outcome.HTTP_409),
        (500, {}, Outcome.HTTP_5XX),
        (502, {}, Outcome.HTTP_5XX),
        (503, {}, Outcome.OVERLOADED),
        (529, {}, Outcome.OVERLOADED),
        (301, {}, Outcome.MALFORMED_RESPONSE),
        (200, {}, Outcome.IN_BAND_ERROR),
    ],
)
def test_a_status_and_an_error_have_one_class(status, words, expected):
    assert classify(status, **words) is expected
