"""What a decision sees of its targets, and what a pool may still retry."""

from hypothesis import given
from hypothesis import strategies as st

from policies import Attempt, CooldownRule, Outcome, Target
from router.health import Budgets, Health

A = Target("p", "a")


def call(health, outcome=Outcome.SUCCESS, *, at=0.0, first=None, lasts=1.0, **fields):
    health.begin(A.name, at)
    attempt = Attempt(A, outcome, at, at + lasts, first, **fields)
    health.end(attempt, jitter=0.0, tokens=50)


def test_an_unseen_target_is_not_in_the_snapshot():
    assert Health().snapshot(0.0) == {}


def test_medians_of_first_token_and_speed_are_seen():
    health = Health()
    for n in range(9):
        call(health, at=float(n), first=n + 0.5)
    seen = health.snapshot(10.0)[A.name]
    assert seen.latency_s == 0.5
    assert seen.tokens_per_s == 100.0


def test_a_snapshot_is_shared_until_something_changes_and_never_altered():
    health = Health()
    call(health, first=0.5)
    before = health.snapshot(1.0)
    assert health.snapshot(1.0) is before
    for _ in range(5):
        call(health, Outcome.HTTP_5XX)
    after = health.snapshot(1.0)
    assert (before[A.name].rests_until_s, after[A.name].rests_until_s) == (0.0, 31.0)


def test_one_probe_is_seen_and_then_a_slow_start():
    health = Health(CooldownRule(consecutive_failures=1))
    call(health, Outcome.HTTP_5XX)
    health.begin(A.name, 40.0)
    assert health.snapshot(40.0)[A.name].probing
    health.proved(A.name, 40.0)
    assert [round(health.snapshot(at)[A.name].share, 2) for at in (40.0, 55.0, 71.0, 72.0)] == [0.1, 0.55, 1.0, 1.0]


def test_a_probe_that_answers_whole_brings_the_target_back():
    health = Health(CooldownRule(consecutive_failures=1))
    call(health, Outcome.HTTP_5XX)
    call(health, at=40.0, first=40.1)
    assert health.snapshot(41.0)[A.name].share < 1.0
    assert not health.snapshot(41.0)[A.name].probing


def test_a_callers_own_bad_key_says_nothing_about_the_target():
    health = Health()
    call(health, Outcome.UPSTREAM_AUTH, credential_type="byok")
    assert health.snapshot(1.0) == {}
    call(health, Outcome.UPSTREAM_AUTH)
    assert health.snapshot(1.0)[A.name].rests_until_s == 61.0


def test_calls_under_way_are_counted():
    health = Health()
    health.begin(A.name, 0.0)
    assert health.in_flight() == {A.name: 1}


def test_a_pool_may_always_retry_three_at_once_and_a_fifth_of_what_is_in_flight():
    budgets = Budgets()
    for _ in range(10):
        budgets.enter("pool")
    assert budgets.left("pool", 0.2) == 3
    for _ in range(40):
        budgets.enter("pool")
    budgets.retry("pool")
    assert budgets.remaining() == {"pool": 9}
    assert budgets.left("pool", 0.2) == 9


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=40))
def test_pools_without_requests_are_forgotten(requests):
    budgets = Budgets()
    for pool, retries in requests:
        budgets.enter(pool)
        for _ in range(retries):
            budgets.retry(pool)
    for pool, retries in requests:
        assert budgets.left(pool, 0.2) <= max(3, len(requests))
        budgets.leave(pool, retries=retries)
    assert len(budgets) == 0
    assert not budgets.remaining()


def test_thousands_of_names_given_by_clients_do_not_pile_up():
    health = Health(CooldownRule(consecutive_failures=1))
    call(health, Outcome.HTTP_5XX)
    for n in range(5_000):
        target = Target("p", f"random-{n}")
        health.begin(target.name, 1.0)
        health.end(Attempt(target, Outcome.SUCCESS, 1.0, 2.0, 1.5))
        health.snapshot(1.0)
    assert len(health.in_flight()) <= 1024
    assert len(health.snapshot(1.0)) <= 1024
    assert health.snapshot(1.0)[A.name].rests_until_s == 31.0


def test_a_reload_changes_when_targets_rest():
    health = Health(CooldownRule(consecutive_failures=5))
    failed = Attempt(Target("p", "a"), Outcome.HTTP_5XX, 1.0, 1.0)
    health.begin("p/a", 1.0)
    health.end(failed)
    health.follow(CooldownRule(consecutive_failures=2))
    health.begin("p/a", 1.0)
    health.end(failed)
    assert health.snapshot(1.0)["p/a"].rests_until_s > 1.0
