"""Targets that speak for themselves: told apart where a voice session is routed, and nowhere else."""

import pytest

from policies import Facts, ModelChoice, Policy, Route, RoutingTable, Target, Targets, UnknownModel, Variant

REALTIME = "realtime"
KNOWN = (Target("mine", "gpt-realtime"), Target("mine", "llama"), Target("mine", "ear", kind="transcription"))


def table(*models):
    targets = Targets(["mine", "demo"], KNOWN, spoken={"mine": ("gpt-*", "talker"), "gone": ("other",)})
    choice = ModelChoice(models[0], fallbacks=models[1:])
    return RoutingTable(targets, [Policy("pool", default=Route("d", (Variant("v", 100, choice),)))])


def usable(kind, *models, protocol=REALTIME):
    decision = table(*models).decide(Facts("router/pool", protocol, kind=kind))
    return [target.name for target in decision.plan.usable()]


def test_what_is_declared_is_of_their_kind_listed_or_not():
    targets = table("mine/llama").targets
    kinds = {
        name: targets.named(name).kind for name in ("mine/gpt-realtime", "mine/gpt-new", "mine/talker", "demo/gpt-x")
    }
    assert kinds == {
        "mine/gpt-realtime": REALTIME,
        "mine/gpt-new": REALTIME,
        "mine/talker": REALTIME,
        "demo/gpt-x": "chat",
    }
    assert [target.name for target in targets.offering("talker")] == ["mine/talker"], "a plain name is known"
    assert targets.offering("gpt-new") == targets.offering("other") == ()


def test_a_session_is_either_handed_over_or_spoken_for():
    pool = ("mine/gpt-realtime", "mine/llama")
    assert usable(REALTIME, *pool) == ["mine/gpt-realtime"]
    assert usable("chat", *pool) == ["mine/llama"]


def test_outside_of_voice_sessions_and_for_ears_and_voices_nobody_is_left_out():
    pool = ("mine/gpt-realtime", "mine/llama")
    assert usable("chat", *pool, protocol="chat") == list(pool)
    assert usable("transcription", "mine/gpt-realtime", "mine/ear") == ["mine/gpt-realtime", "mine/ear"]


def test_nobody_of_a_kind_is_a_refusal():
    with pytest.raises(UnknownModel, match="mine/llama"):
        usable(REALTIME, "mine/llama")


def test_a_model_that_nobody_is_configured_for_keeps_its_own_reason():
    plan = table("mine/talker", "nobody/x").decide(Facts("router/pool", REALTIME, kind=REALTIME)).plan
    assert [(c.target.name, c.skipped) for c in plan.candidates][1] == ("nobody/x", "not configured")
