"""What the client is told when nobody answered, and how the record puts it into words."""

import pytest

from policies import Attempt, Candidate, Decision, ErrorDetail, Outcome, Plan, Reason, Stop, StopReason, Target
from router import Record
from router.ending import refusal
from router.record import Warned

A, B = Target("p", "a"), Target("p", "b")


def record(*attempts, plan=None, **fields):
    decision = Decision("m", "p/a", Reason.BARE_MODEL, plan or Plan((Candidate(A),)), **fields)
    return Record("id", decision, 0.0, attempts=list(attempts))


def ended(target, outcome, **fields):
    return Attempt(target, outcome, 0.0, 1.0, **fields)


def test_a_model_without_any_target_is_not_found():
    one = record(plan=Plan(()))
    refused = refusal(one, one.decision.plan, Stop(StopReason.EMPTY))
    assert (refused.status, refused.code, refused.param) == (404, "model_not_found", "model")


def test_targets_that_all_lack_something_are_named_with_what_they_lack():
    one = record(plan=Plan((Candidate(A, skipped="lacks tools"),)))
    refused = refusal(one, one.decision.plan, Stop(StopReason.EMPTY))
    assert (refused.status, refused.code) == (400, "no_capable_target")
    assert "p/a (lacks tools)" in refused.message


def test_a_deadline_is_a_504_whatever_came_last():
    one = record(ended(A, Outcome.HTTP_5XX))
    refused = refusal(one, one.decision.plan, Stop(StopReason.DEADLINE))
    assert (refused.status, refused.code) == (504, "upstream_timeout")


def test_a_providers_own_refusal_keeps_its_words():
    error = ErrorDetail("bad field", "invalid_request_error", "bad", "tools")
    one = record(ended(A, Outcome.BAD_REQUEST, status_code=422, error=error))
    refused = refusal(one, one.decision.plan, Stop(StopReason.FINAL))
    assert (refused.status, refused.message, refused.code, refused.param) == (422, "bad field", "bad", "tools")


def test_a_refusal_without_words_gets_ours():
    one = record(ended(A, Outcome.MODEL_NOT_FOUND))
    refused = refusal(one, one.decision.plan, Stop(StopReason.SPENT))
    assert (refused.status, refused.code) == (400, "model_not_found")
    assert refused.document()["error"]["message"]


@pytest.mark.parametrize(
    ("attempts", "words"),
    [
        ((), "nothing was called"),
        ((ended(A, Outcome.SUCCESS),), "success"),
        ((ended(A, Outcome.DNS),), "dns after 1 attempt(s)"),
        ((ended(A, Outcome.DNS), ended(B, Outcome.SUCCESS)), "success with p/b after p/a (dns)"),
    ],
)
def test_the_reasoning_is_one_sentence(attempts, words):
    one = record(*attempts)
    assert one.reasoning().endswith(words)
    assert one.reasoning().startswith("Chosen for 'm' by bare_model")


def test_fields_without_a_value_are_left_out():
    shown = record(ended(A, Outcome.DNS)).metadata()
    assert "router" not in shown
    assert "warnings" not in shown
    assert "total_duration_ms" not in shown
    assert set(shown["attempts"][0]) == {"model", "provider", "success", "outcome", "duration_ms", "credential_type"}


def test_warnings_of_the_decision_and_of_the_answer_are_shown():
    missing, unsearched = "prompt variable 'a' is not set", "web_search: none"
    one = record(warnings=("odd", missing, unsearched))
    one.warnings.append(Warned("c", "m"))
    assert one.metadata()["warnings"] == [
        {"code": "c", "message": "m"},
        {"code": "decision", "message": "odd"},
        {"code": "prompt_variable_missing", "message": missing},
        {"code": "web_search_unavailable", "message": unsearched},
    ]
    assert one.served is None
