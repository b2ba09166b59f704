"""The fallback walk: which target is tried next, and when the walk ends."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Attempt, Candidate, ErrorDetail, Limits, Outcome, Plan, Stop, StopReason, Target, Timeouts, Try

A, B, C, D = (Target("p", name) for name in "abcd")
FAILURES = [outcome for outcome in Outcome if outcome is not Outcome.SUCCESS]


def plan(*targets, limits=None, **fields):
    return Plan(tuple(Candidate(target) for target in targets), Limits(**fields) if limits is None else limits, 100.0)


def ended(target, outcome, *, at=101.0, **fields):
    return Attempt(target, outcome, started_s=100.0, ended_s=at, **fields)


def tried(step):
    assert isinstance(step, Try), step
    return step.target


def reason(step):
    assert isinstance(step, Stop), step
    return step.reason


def test_the_first_candidate_is_tried_first_within_the_plans_own_timeouts():
    limits = Limits(timeouts=Timeouts(total_s=7.0))
    step = plan(A, B, limits=limits).next_step([])
    assert step == Try(A, limits.timeouts)


def test_an_answer_ends_the_walk():
    assert reason(plan(A, B).next_step([ended(A, Outcome.SUCCESS)])) is StopReason.ANSWERED


@pytest.mark.parametrize("outcome", [Outcome.HTTP_5XX, Outcome.DNS, Outcome.EMPTY_RESPONSE, Outcome.RATE_LIMITED])
def test_a_failure_of_the_target_goes_on_to_the_next(outcome):
    assert tried(plan(A, B).next_step([ended(A, outcome)])) is B


@pytest.mark.parametrize("outcome", [Outcome.BAD_REQUEST, Outcome.CONTENT_FILTER, Outcome.BUDGET_EXHAUSTED])
def test_what_would_fail_anywhere_is_not_tried_elsewhere(outcome):
    assert reason(plan(A, B).next_step([ended(A, outcome)])) is StopReason.FINAL


def test_a_client_that_hung_up_is_never_retried():
    assert reason(plan(A, B).next_step([ended(A, Outcome.CANCELLED_BY_CLIENT)])) is StopReason.CANCELLED


def test_nothing_is_tried_after_three_attempts():
    history = [ended(target, Outcome.HTTP_5XX) for target in (A, B, C)]
    assert reason(plan(A, B, C, D).next_step(history)) is StopReason.SPENT


def test_a_plan_without_usable_candidate_is_empty():
    skipped = Plan((Candidate(A, skipped="lacks tools"),))
    assert reason(skipped.next_step([])) is StopReason.EMPTY


def test_skipped_candidates_are_passed_over():
    one = Plan((Candidate(A, skipped="ignored"), Candidate(B), Candidate(C, skipped="resting"), Candidate(D)))
    assert tried(one.next_step([])) is B
    assert tried(one.next_step([ended(B, Outcome.HTTP_5XX, at=1.0)])) is D


def test_when_every_candidate_rests_they_are_tried_all_the_same():
    one = Plan((Candidate(A, skipped="resting"), Candidate(B, skipped="ignored"), Candidate(C, skipped="resting")))
    assert tried(one.next_step([])) is A
    assert tried(one.next_step([ended(A, Outcome.HTTP_5XX, at=1.0)])) is C


def test_a_target_named_twice_is_called_once():
    history = [ended(A, Outcome.DNS)]
    assert tried(plan(A, A, B).next_step(history)) is B


def test_the_deadline_covers_all_attempts_together():
    one = plan(A, B, C, timeouts=Timeouts(total_s=10.0))
    step = one.next_step([ended(A, Outcome.HTTP_5XX, at=106.0)])
    assert isinstance(step, Try)
    assert step.timeouts == Timeouts(connect_s=4.0, first_token_s=4.0, idle_s=4.0, total_s=4.0, answer_s=4.0)
    assert reason(one.next_step([ended(A, Outcome.HTTP_5XX, at=110.0)])) is StopReason.DEADLINE
    assert reason(one.next_step([ended(A, Outcome.DEADLINE, at=101.0)])) is StopReason.DEADLINE


def test_a_lone_target_gets_one_more_chance_after_a_5xx_and_not_two():
    one = plan(A)
    once = [ended(A, Outcome.HTTP_5XX)]
    step = one.next_step(once, jitter=0.5)
    assert tried(step) is A
    assert step.wait_s == pytest.approx(0.1)
    assert reason(one.next_step(once * 2)) is StopReason.SPENT


def test_a_lone_target_that_was_silent_is_not_asked_again():
    assert reason(plan(A).next_step([ended(A, Outcome.FIRST_TOKEN_TIMEOUT)])) is StopReason.SPENT


def test_retry_same_comes_before_the_fallback_when_the_profile_says_so():
    one = plan(A, B, retry_same=1)
    once = [ended(A, Outcome.HTTP_5XX)]
    assert tried(one.next_step(once)) is A
    assert tried(one.next_step(once * 2)) is B


def test_a_retry_that_would_pass_the_deadline_is_not_made():
    one = plan(A, timeouts=Timeouts(total_s=1.05))
    assert reason(one.next_step([ended(A, Outcome.HTTP_5XX)], jitter=0.9)) is StopReason.SPENT


def test_a_short_retry_after_is_waited_for_on_the_same_target_when_the_profile_says_so():
    limited = [ended(A, Outcome.RATE_LIMITED, retry_after_s=2.0)]
    step = plan(A, B, wait_for_retry_after_s=3.0).next_step(limited)
    assert (tried(step), step.wait_s) == (A, 2.0)
    assert tried(plan(A, B).next_step(limited)) is B
    assert tried(plan(A, B, wait_for_retry_after_s=1.0).next_step(limited)) is B
    assert tried(plan(A, B, wait_for_retry_after_s=3.0).next_step(limited * 2)) is B


@pytest.mark.parametrize(("asked_s", "goes_on"), [(2.0, True), (11.0, False), (None, False)])
def test_a_lone_rate_limited_target_is_waited_for_only_if_it_says_how_long_and_not_long(asked_s, goes_on):
    step = plan(A).next_step([ended(A, Outcome.RATE_LIMITED, retry_after_s=asked_s)])
    assert isinstance(step, Try) is goes_on


def test_a_retry_after_that_does_not_fit_the_deadline_is_not_waited_for():
    one = plan(A, timeouts=Timeouts(total_s=3.0))
    assert reason(one.next_step([ended(A, Outcome.RATE_LIMITED, retry_after_s=2.0)])) is StopReason.SPENT


def test_after_a_commit_nothing_is_tried():
    cut = [ended(A, Outcome.TRUNCATED, committed=True)]
    assert reason(plan(A, B).next_step(cut)) is StopReason.FINAL


def test_after_a_commit_the_walk_goes_on_when_continuing_is_asked_for():
    cut = [ended(A, Outcome.TRUNCATED, committed=True)]
    assert tried(plan(A, B, on_interrupt="continue").next_step(cut)) is B


def test_the_callers_first_token_limit_holds_while_another_candidate_is_left():
    one = plan(A, B, first_token_s=0.8)
    first, last = one.next_step([]), one.next_step([ended(A, Outcome.FIRST_TOKEN_TIMEOUT, at=100.8)])
    assert isinstance(first, Try)
    assert isinstance(last, Try)
    assert (first.timeouts.first_token_s, first.timeouts.answer_s) == (0.8, 0.8)
    assert last.timeouts.first_token_s == Timeouts().first_token_s


def test_the_callers_first_token_limit_may_be_longer_than_the_usual():
    step = plan(A, B, first_token_s=30.0).next_step([])
    assert isinstance(step, Try)
    assert step.timeouts.first_token_s == 30.0


def test_the_callers_first_token_limit_does_not_kill_the_last_attempt_allowed():
    step = plan(A, B, first_token_s=0.8, max_attempts=1).next_step([])
    assert step == Try(A, Timeouts())


def test_the_retry_budget_spares_the_first_fallback_and_ends_what_comes_after():
    one, once = plan(A, B, C), [ended(A, Outcome.HTTP_5XX)]
    assert tried(one.next_step(once, retries_left=0)) is B
    twice = [*once, ended(B, Outcome.HTTP_5XX)]
    assert reason(one.next_step(twice, retries_left=0)) is StopReason.BUDGET
    assert tried(one.next_step(twice, retries_left=1)) is C


def test_the_retry_budget_covers_retries_on_the_same_target():
    assert reason(plan(A).next_step([ended(A, Outcome.HTTP_5XX)], retries_left=0)) is StopReason.BUDGET


@pytest.mark.parametrize(
    ("status", "code", "goes_on"),
    [(400, None, False), (400, "context_length_exceeded", True), (500, None, True), (None, None, True)],
)
def test_an_error_inside_a_200_follows_the_status_it_names(status, code, goes_on):
    error = None if code is None else ErrorDetail("said", code=code)
    step = plan(A, B).next_step([ended(A, Outcome.IN_BAND_ERROR, status_code=status, error=error)])
    assert isinstance(step, Try) is goes_on


def test_a_callers_own_key_that_fails_gives_way_to_the_configured_one():
    own = ended(A, Outcome.UPSTREAM_AUTH, credential_type="byok")
    assert tried(plan(A, B).next_step([own])) is A
    assert tried(plan(A, B).next_step([own, ended(A, Outcome.UPSTREAM_AUTH)])) is B


def test_a_target_that_will_not_go_on_from_anothers_words_is_asked_for_the_whole_answer():
    one = plan(A, B, on_interrupt="continue")
    history = [ended(A, Outcome.TRUNCATED, committed=True), ended(B, Outcome.UNSUPPORTED_PARAM, prefilled=True)]
    assert tried(one.next_step(history)) is B
    assert reason(one.next_step([*history, ended(B, Outcome.UNSUPPORTED_PARAM)])) is StopReason.SPENT


@st.composite
def histories(draw):
    count = draw(st.integers(1, 5))
    targets = [Target("p", str(draw(st.integers(0, 4)))) for _ in range(count)]
    skips = [draw(st.sampled_from([None, None, "resting", "ignored"])) for _ in range(count)]
    limits = Limits(
        timeouts=Timeouts(total_s=draw(st.sampled_from([1.0, 20.0, 600.0]))),
        max_attempts=draw(st.integers(1, 6)),
        retry_same=draw(st.integers(0, 2)),
        wait_for_retry_after_s=draw(st.sampled_from([0.0, 3.0])),
        on_interrupt=draw(st.sampled_from(["error", "continue"])),
        first_token_s=draw(st.sampled_from([None, 0.5])),
    )
    one = Plan(tuple(Candidate(t, s) for t, s in zip(targets, skips, strict=True)), limits, 0.0)
    ends = st.tuples(st.sampled_from(list(Outcome)), st.floats(0, 5), st.booleans(), st.sampled_from([None, 1.0, 60.0]))
    return one, draw(st.lists(ends, min_size=8, max_size=8)), draw(st.sampled_from([None, 0, 2]))


@given(histories(), st.floats(0, 1, exclude_max=True))
def test_every_walk_ends_within_its_limits_whatever_happens(drawn, jitter):
    one, ends, budget = drawn
    attempts, now_s, script = [], 0.0, iter(ends)
    while isinstance(step := one.next_step(attempts, retries_left=budget, jitter=jitter), Try):
        assert step.timeouts.total_s <= one.limits.timeouts.total_s
        assert 0 < step.timeouts.total_s <= one.limits.timeouts.total_s - now_s - step.wait_s + 1e-6
        assert step.target in one.usable()
        committed = any(attempt.committed for attempt in attempts)
        assert not committed or one.limits.on_interrupt == "continue"
        outcome, lasts_s, commits, after_s = next(script)
        start_s, now_s = now_s + step.wait_s, now_s + step.wait_s + lasts_s
        attempts.append(Attempt(step.target, outcome, start_s, now_s, committed=commits, retry_after_s=after_s))
        assert len(attempts) <= one.limits.max_attempts
    assert sum(attempt.success for attempt in attempts) <= 1
    assert not any(attempt.success for attempt in attempts[:-1])
    names = [attempt.target.name for attempt in attempts]
    assert all(names.count(name) <= 1 + max(1, one.limits.retry_same) for name in names)
    assert one.next_step(attempts, retries_left=budget, jitter=jitter) == step


@given(st.sampled_from(FAILURES))
def test_the_same_history_gives_the_same_step(outcome):
    one, history = plan(A, B), [ended(A, outcome)]
    assert one.next_step(history) == replace(one).next_step(list(history))


def test_a_repeat_never_takes_the_place_of_a_target_that_was_not_asked():
    failed = [ended(A, Outcome.HTTP_5XX)]
    assert tried(plan(A, B, retry_same=1).next_step(failed)) is A
    assert tried(plan(A, B, C, retry_same=1).next_step(failed)) is B
    assert tried(plan(A, B, C, retry_same=1, max_attempts=4).next_step(failed)) is A


def test_a_target_that_rests_but_is_spared_is_tried_once():
    spared = Plan((Candidate(A, once=True), Candidate(B, "cooling down")), Limits(), 100.0)
    assert reason(spared.next_step([ended(A, Outcome.HTTP_5XX)])) is StopReason.SPENT
