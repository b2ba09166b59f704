"""Decisions, attempts and records for tests of observers."""

from policies import Attempt, Decision, ErrorDetail, Facts, Outcome, Plan, Prices, Reason, Target
from router.record import Record

PRICED = Target("openai", "gpt", prices=Prices(0.000_001, 0.000_002))
BACKUP = Target("demo", "fast")


def decision(router="support", route="default", variant="cheap", **fields):
    return Decision(
        requested="router/support",
        model="openai/gpt",
        reason=Reason.WEIGHT,
        plan=Plan(()),
        router=router,
        route_id=route,
        variant_id=variant,
        **fields,
    )


def attempt(target=PRICED, outcome=Outcome.SUCCESS, began_s=10.0, took_s=0.5, **fields):
    error = None if outcome is Outcome.SUCCESS else ErrorDetail("the provider said no", code="no")
    first_s = began_s + 0.1 if outcome is Outcome.SUCCESS else None
    fields = {"first_token_s": first_s, "status_code": 200 if error is None else 503, "error": error} | fields
    return Attempt(target, outcome, began_s, began_s + took_s, **fields)


def record(decided=None, attempts=None, *, ended_s=11.0, outcome=Outcome.SUCCESS, **fields):
    fields = {"generation_id": "gen-1", "request_id": "req-1", "usage": None, "wall_s": 1_800_000_000.0} | fields
    return Record(
        decision=decided or decision(),
        started_s=9.9,
        ended_s=ended_s,
        attempts=[attempt()] if attempts is None else attempts,
        outcome=outcome,
        status=200 if outcome is Outcome.SUCCESS else 503,
        **fields,
    )


def facts(user="anna", **fields):
    return Facts(model="router/support", user=user, **fields)


def told(observer, finished, about=None):
    """Tell an observer the whole story of a record."""
    about = about or facts()
    observer.on_decision(finished.decision, about)
    observer.on_exposure(finished.decision, about)
    for one in finished.attempts:
        observer.on_attempt(one, finished.decision)
    observer.on_finish(finished)
