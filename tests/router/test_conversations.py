"""A conversation stays with the target that answered it, as long as that is a matter of taste."""

import pytest

from policies import Limits, ModelChoice, Policy, Route, RoutingTable, Target, Targets, Variant
from router import Caller, Router, State
from router.conversations import IDLE_S, MOST, Conversations, conversation_of
from router.upstreams.scripted import ScriptedUpstream

KNOWN = [Target("east", "ok"), Target("west", "ok"), Target("east", "500")]


def by_measurement():
    choice = ModelChoice("ok", fallbacks=("east/500",))
    return Policy("talk", default=Route("all", (Variant("only", 100, choice),)))


def house():
    upstreams = {"east": ScriptedUpstream(time_scale=0.02), "west": ScriptedUpstream(time_scale=0.02)}
    return Router(State(RoutingTable(Targets(tuple(upstreams), KNOWN), [by_measurement()], limits=Limits()), upstreams))


def document(*texts, model="ok", **fields):
    roles = ("user", "assistant")
    messages = [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]
    return {"model": model, "messages": messages, **fields}


def measured(router, **latencies):
    """As if each provider had shown these seconds to its first token."""
    now_s = router.clock.now()
    for provider, latency_s in latencies.items():
        name = f"{provider}/ok"
        router.health.begin(name, now_s)
        router.health._vitals[name].latency_s = latency_s
        router.health._vitals[name].refreshed_s = now_s
        router.health._changed.add(name)


async def served(router, asked, caller=None):
    completion = await router.complete(asked, caller or Caller())
    return completion.record.served.target.provider


@pytest.mark.parametrize("model", ["ok", "router/talk", "auto"])
async def test_a_conversation_stays_where_it_began_though_another_has_become_quicker(model):
    router = house()
    measured(router, east=0.1, west=0.2)
    assert await served(router, document("hello", model=model, user="ann")) == "east"
    measured(router, east=0.9, west=0.2)
    assert await served(router, document("hello", "hi", "and?", model=model, user="ann")) == "east"
    assert await served(router, document("hello", model=model, user="bob")) == "west"
    assert router.decide(document("hello", model=model, user="ann")).model == "east/ok"


async def test_a_named_model_a_sort_by_price_and_nothing_said_know_no_conversation():
    router = house()
    for asked in (document("x", model="east/ok"), document("x", sort=["price"])):
        assert (await router.complete(asked)).record.conversation is None
    assert len(router._around.conversations) == 0


async def test_the_cache_key_names_the_conversation_and_keys_of_others_do_not_share_it():
    router = house()
    measured(router, east=0.1, west=0.2)
    assert await served(router, document("one", prompt_cache_key="c"), Caller(key_id="a")) == "east"
    measured(router, east=0.9, west=0.2)
    assert await served(router, document("two", prompt_cache_key="c"), Caller(key_id="a")) == "east"
    assert await served(router, document("two", prompt_cache_key="c"), Caller(key_id="b")) == "west"


async def test_a_target_that_rests_is_not_waited_for():
    router = house()
    measured(router, east=0.1, west=0.2)
    asked = document("hello", user="ann")
    assert await served(router, asked) == "east"
    router.health._vitals["east/ok"].breaker.rests_until_s = router.clock.now() + 60
    router.health._changed.add("east/ok")
    assert await served(router, asked) == "west"
    router.health._vitals["east/ok"].breaker.rests_until_s = 0.0
    router.health._changed.add("east/ok")
    assert await served(router, asked) == "west", "and now it stays there"


def test_who_is_silent_for_minutes_is_forgotten():
    kept = Conversations()
    kept.answered(b"a", "east/ok", 100.0)
    assert kept.held(b"a", 100.0 + IDLE_S) == "east/ok"
    assert kept.held(b"a", 100.1 + IDLE_S) is None
    assert kept.held(b"b", 100.0) is None


def test_only_so_many_are_kept_and_the_longest_silent_goes_first():
    kept = Conversations()
    for number in range(MOST):
        kept.answered(str(number).encode(), "east/ok", 0.0)
    kept.answered(b"0", "west/ok", 1.0)
    kept.answered(b"new", "east/ok", 2.0)
    assert len(kept) == MOST
    assert (kept.held(b"0", 2.0), kept.held(b"1", 2.0)) == ("west/ok", None)


def key(*texts, user=None, **more):
    asked = document(*texts, **more)
    return conversation_of(asked, asked["messages"], user=user, key_id=None)


def test_later_turns_are_the_same_conversation_and_other_beginnings_are_not():
    first = key("hello", user="ann")
    assert key("hello", "hi", "go on", user="ann") == first
    assert len({first, key("hello", user="bob"), key("hallo", user="ann"), key("hello", prompt_cache_key="hello")}) == 4
    assert key() is None
    assert key([{"type": "text", "text": "a"}, {"type": "image_url"}, "b"]) == key([{"type": "text", "text": "a"}])
    assert key("\ud800") != key(None)
