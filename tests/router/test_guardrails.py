"""Harm stops an experiment: from the failing calls of a variant to the control for everybody."""

import logging

from policies import (
    Experiment,
    Guardrail,
    ModelChoice,
    Outcome,
    Policy,
    Prices,
    Route,
    RoutingTable,
    Target,
    Targets,
    Variant,
)
from router import Refusal, Router, State
from router.guardrails import Guardrails, measured
from router.upstreams.scripted import ScriptedUpstream
from tests.router.records_samples import attempt, record

MESSAGES = [{"role": "user", "content": "hi"}]


def policy(*guardrails, unit=("user",), weight=50, model="far/400"):
    variants = (
        Variant("control", 100 - weight, ModelChoice("far/ok")),
        Variant("treatment", weight, ModelChoice(model)),
    )
    experiment = Experiment(control="control", guardrails=guardrails)
    return Policy("t", unit=unit, default=Route("all", variants), experiment=experiment)


def house(made):
    far = ScriptedUpstream(time_scale=0.0)
    router = Router(State(RoutingTable(Targets(("far",)), [made]), {"far": far}))
    rails = Guardrails(lambda names: setattr(router, "tripped", names))
    rails.configured({"t": made})
    router.observers.append(rails)
    return router, rails


async def asked(router, user, **fields):
    document = {"model": "router/t", "messages": MESSAGES, **fields} | ({"user": user} if user else {})
    try:
        return (await router.complete(document)).record
    except Refusal as refused:
        return refused.record


async def until_tripped(router, *, most=400, user="u{}".format):
    for number in range(most):
        await asked(router, user(number))
        if router.tripped:
            return number
    return None


async def test_a_variant_that_fails_is_taken_from_everybody(caplog):
    caplog.set_level(logging.WARNING, "router.guardrails")
    made = policy(Guardrail("error_rate", max_increase=0.01))
    router, rails = house(made)
    assert await until_tripped(router) is not None
    records = [await asked(router, f"u{number}") for number in range(20)]
    assert {one.decision.variant_id for one in records} == {"control"}
    assert {one.decision.reason for one in records} == {"guardrail"}
    assert router.explain({"model": "router/t", "user": "u1"})["decision"]["reason"] == "guardrail"
    [line] = caplog.records
    assert (line.fields["router"], line.fields["variant"], line.fields["value"]) == ("t", "treatment", 1.0)
    rails.configured({"t": made})
    assert router.tripped == {"t"}, "it stays so while the router is the same"
    rails.configured({"t": policy(Guardrail("error_rate", max_increase=0.02))})
    assert router.tripped == frozenset()


async def test_requests_without_a_unit_count_each_for_itself():
    router, _ = house(policy(Guardrail("fallback_rate", max_increase=0.01), unit=("metadata.session",)))
    assert await until_tripped(router, user=lambda _n: None, most=60) is None


async def test_one_session_counts_once_however_often_it_fails():
    router, _ = house(policy(Guardrail("error_rate", max_increase=0.01), unit=("metadata.session",), weight=100))
    for _ in range(120):
        record = await asked(router, None, metadata={"session": "s"})
    assert record.decision.unit == "metadata.session"
    assert router.tripped == frozenset()


async def test_a_variant_that_does_no_harm_stays():
    router, rails = house(policy(Guardrail("error_rate", max_increase=0.01), model="far/ok"))
    assert await until_tripped(router, most=150) is None
    assert rails._units == {}


async def test_nobody_watches_where_nothing_is_guarded():
    router, rails = house(policy())
    await asked(router, "ann")
    assert rails._units == {}
    rails.configured({})
    assert router.tripped == frozenset()


def test_what_a_request_came_to():
    failed = attempt(outcome=Outcome.HTTP_5XX)
    assert measured(record(None, [failed], outcome=Outcome.HTTP_5XX)) == {"error_rate": 1.0}
    assert measured(record(None, [failed], outcome=Outcome.CANCELLED_BY_CLIENT)) == {}
    priced = attempt(Target("far", "ok", prices=Prices(1.0, 2.0)))
    found = measured(record(None, [failed, priced], usage={"prompt_tokens": 1, "completion_tokens": 2}))
    assert found["fallback_rate"] == 1.0
    assert found["cost_usd"] == 5.0
    assert found["ttft"] < found["duration"]
    bare = measured(record(None, [attempt(first_token_s=None)], ended_s=None))
    assert bare == {"error_rate": 0.0, "fallback_rate": 0.0}
