"""The one path that decides: model strings, routes, limits."""

import copy
import pickle
from dataclasses import replace

import pytest

from policies import (
    Condition,
    Experiment,
    Facts,
    Limits,
    ModelChoice,
    NoRouteMatched,
    Policy,
    Reason,
    Route,
    RoutingOptions,
    RoutingTable,
    Target,
    TargetHealth,
    Targets,
    UnknownModel,
    Variant,
)

from .tables import KNOWN, decide, order, router, table, variant


class TestModelStrings:
    def test_a_named_target_is_taken_at_its_word(self):
        decision = decide("openai/whatever-comes-next", now_s=7.0)
        assert (decision.model, decision.reason) == ("openai/whatever-comes-next", Reason.SPECIFIED)
        assert (decision.router, decision.sticky, decision.conditions, decision.propensity) == (None, False, (), None)
        assert decision.plan.started_s == 7.0

    def test_a_bare_model_is_offered_by_whoever_has_it_the_quickest_first(self):
        health = {"mine/llama": TargetHealth(latency_s=0.1), "openai/llama": TargetHealth(latency_s=0.2)}
        decision = decide("llama", health=health)
        assert decision.reason is Reason.BARE_MODEL
        assert order(decision) == ["mine/llama", "openai/llama", "groq/llama"]

    def test_who_answered_the_conversation_stays_before_those_that_are_merely_quicker(self):
        health = {"mine/llama": TargetHealth(latency_s=0.1), "openai/llama": TargetHealth(latency_s=0.2)}
        held = {"health": health, "held": "openai/llama"}
        assert order(decide("llama", **held)) == ["openai/llama", "mine/llama", "groq/llama"]
        assert order(decide("llama", health=health, held="mine/llama"))[0] == "mine/llama"
        assert order(decide("llama", health=health, held="gone/llama"))[0] == "mine/llama"
        chosen = router(variant(model="openai/gpt", fallbacks=("llama",)))
        assert order(decide("router/support", chosen, **held))[:2] == ["openai/gpt", "openai/llama"]
        priced = RoutingOptions(sort=("price",))
        assert order(decide("llama", options=priced, **held))[0] == "groq/llama"

    def test_it_is_known_where_it_matters_who_answered_the_conversation(self):
        made = table(router(variant(model="llama")), router(name="fixed"), aliases={"old": "llama"})
        plain, priced = RoutingOptions(), RoutingOptions(sort=("price",))
        asked = ["llama", "old", "auto", "router/support", "router/fixed", "openai/gpt", "router/none", "nobody"]
        found = [made.fluid(model, "chat", plain) for model in asked]
        assert found == [True, True, True, True, False, False, False, False]
        assert (made.fluid("llama", "chat", priced), made.fluid("router/fixed", "chat", priced)) == (False, True)

    def test_one_snapshot_of_health_after_another_gives_each_its_own_order(self):
        made = table()
        slow, quick = TargetHealth(latency_s=0.9), TargetHealth(latency_s=0.1)
        snapshots = [{"mine/llama": slow, "openai/llama": quick}, {"mine/llama": quick, "openai/llama": slow}]
        firsts = [order(made.decide(Facts("llama", health=snapshots[turn % 2])))[0] for turn in range(4)]
        assert firsts == ["openai/llama", "mine/llama"] * 2

    def test_auto_takes_the_best_and_never_a_stand_in(self):
        decision = decide("auto", options=RoutingOptions(sort=("price",)))
        assert decision.reason is Reason.AUTO
        assert order(decision) == ["groq/llama", "openai/llama", "openai/gpt", "mine/llama"]
        assert order(decide("auto", kind="speech")) == ["inworld/inworld-tts"]

    def test_both_spellings_name_a_router(self):
        for model in ("router/support", "inworld/support"):
            decision = decide(model, router())
            assert (decision.requested, decision.router, decision.model) == (model, "support", "groq/llama")

    def test_inworld_hosts_models_of_its_own(self):
        assert decide("inworld/models/GLM").plan.candidates[0].target == Target("inworld", "models/GLM")
        assert decide("inworld/inworld-tts").model == "inworld/inworld-tts"

    def test_inworlds_own_names_are_drop_in_names_where_inworld_is_not_configured(self):
        aliases = {"inworld/inworld-stt*": "mine/asr", "inworld/voice": "router/support"}
        without = RoutingTable(Targets(("mine", "groq"), KNOWN[:1] + KNOWN[3:4]), [router()], aliases=aliases)
        decision = without.decide(Facts("inworld/inworld-stt-1"))
        assert (decision.model, decision.reason) == ("mine/asr", Reason.ALIAS)
        assert without.decide(Facts("inworld/voice")).router == "support"
        assert decide("inworld/inworld-stt-1", aliases=aliases).model == "inworld/inworld-stt-1"

    def test_an_alias_stands_in_where_nobody_serves_the_name(self):
        aliases = {"gpt-realtime*": "router/support", "whisper-1": "mine/asr", "llama": "demo/fast", "best": "auto"}
        assert decide("gpt-realtime-mini", router(), aliases=aliases).router == "support"
        decision = decide("whisper-1", aliases=aliases)
        assert (decision.model, decision.reason, decision.requested) == ("mine/asr", Reason.ALIAS, "whisper-1")
        assert decide("llama", aliases=aliases).reason is Reason.BARE_MODEL
        assert decide("best", aliases=aliases).reason is Reason.ALIAS

    def test_a_firm_alias_wins_over_whoever_serves_the_name(self):
        aliases = {
            "llama": "router/support",
            "gpt": "mine/own",
            "auto": "mine/own",
            "lost": "absent/x",
            "g*": "mine/own",
        }
        firm = table(router(), aliases=aliases, firm=["llama", "gpt", "auto", "g*", "unknown"])
        assert firm.decide(Facts("llama")).router == "support"
        for name in ("gpt", "auto"):
            decision = firm.decide(Facts(name))
            assert (decision.model, decision.reason, decision.requested) == ("mine/own", Reason.ALIAS, name)
        assert firm.decide(Facts("openai/gpt")).model == "openai/gpt"
        with pytest.raises(UnknownModel, match="which no configured provider serves"):
            table(aliases={"llama": "absent/x"}, firm=["llama"]).decide(Facts("llama"))


class TestRoutes:
    def test_the_first_route_that_matches_decides_and_every_test_is_told(self):
        policy = Policy(
            "support",
            routes=(
                Route("a", (variant(),), Condition('tier == "vip"')),
                Route("b", (variant("x", 50), variant("y", 50)), Condition('language == "es"')),
            ),
            default=Route("default", (variant(),)),
        )
        decision = decide("router/support", policy, metadata={"language": "es"}, user="u1")
        assert (decision.route_id, decision.reason, decision.unit, decision.sticky) == (
            "b",
            Reason.WEIGHT,
            "user",
            True,
        )
        assert decision.experiment == policy.checksum
        assert decision.propensity == 0.5
        assert [(test.route_id, test.matched, test.error) for test in decision.conditions] == [
            ("a", False, "tier is not set"),
            ("b", True, None),
        ]
        other = decide("router/support", policy, metadata={"tier": "free"})
        assert (other.route_id, len(other.conditions)) == ("default", 2)

    def test_no_route_and_no_default_is_refused_in_the_documented_words(self):
        policy = Policy("support", routes=(Route("a", (variant(),), Condition('tier == "vip"')),))
        with pytest.raises(NoRouteMatched) as refused:
            decide("router/support", policy)
        assert refused.value.message == "No route matched. Configure a default route or adjust conditions."
        assert (refused.value.status, refused.value.code) == (400, "no_route_matched")

    def test_without_a_unit_the_seed_decides_and_is_recorded(self):
        policy = router(variant("x", 50), variant("y", 50))
        one, again, other = (decide("router/support", policy, seed=seed) for seed in ("s1", "s1", "s2"))
        assert (one.sticky, one.unit, one.seed) == (False, None, "s1")
        assert (one.variant_id, one.bucket) == (again.variant_id, again.bucket)
        assert one.bucket != other.bucket
        assert decide("router/support", policy, user="u").seed is None

    def test_routes_deal_independently(self):
        halves = (variant("x", 50), variant("y", 50))
        policy = Policy("p", routes=(Route("a", halves, Condition("vip")),), default=Route("b", halves))
        made = table(policy)
        dealt = [
            tuple(
                made.decide(Facts("router/p", user=f"u{n}", metadata={"vip": vip})).variant_id for vip in (True, False)
            )
            for n in range(400)
        ]
        assert 160 < sum(one == other for one, other in dealt) < 240

    def test_parameters_messages_and_limits_are_those_of_the_variant(self):
        special = Variant(
            "only",
            100,
            ModelChoice("groq/llama"),
            {"temperature": 0.3},
            ({"role": "system", "content": "{{who}}{{x}}"},),
            2.0,
        )
        policy = router(special, limits=Limits(max_attempts=2))
        decision = decide("router/support", policy, prompt_variables={"who": "Ada"})
        assert decision.parameters == {"temperature": 0.3}
        assert decision.messages == ({"role": "system", "content": "Ada"},)
        assert decision.warnings == ("prompt variable 'x' is not set",)
        assert decision.plan.limits == Limits(max_attempts=2, first_token_s=2.0)
        asked = decide("router/support", policy, options=RoutingOptions(first_token_s=0.5))
        assert asked.plan.limits.first_token_s == 0.5
        assert decide("groq/llama").plan.limits == Limits()

    def test_a_forced_variant_and_the_kill_switch_reach_the_decision(self):
        policy = router(variant("x", 50), variant("y", 50))
        assert decide("router/support", policy, forced_variant="y").reason is Reason.FORCED
        disabled = replace(policy, experiment=Experiment(enabled=False, control="y"))
        assert decide("router/support", disabled).variant_id == "y"


class TestTable:
    def test_references_are_asked_for_by_model_string(self):
        policy = Policy(
            "p", routes=(Route("a", (variant(),), Condition('intent == "x"')),), default=Route("b", (variant(),))
        )
        made = table(policy, aliases={"gpt-realtime": "router/p"})
        assert made.references("router/p") == made.references("gpt-realtime") == {"intent"}
        assert made.references("openai/gpt") == made.references("auto") == made.references("router/none") == frozenset()
        assert made.policies == {"p": policy}

    def test_operators_are_told_once_and_clients_not_at_all(self):
        policy = Policy("p", routes=(Route("a", (variant(fallbacks=("absent/x",)),), Condition("true")),))
        made = table(policy)
        assert made.warnings() == ("router 'p': no configured provider serves 'absent/x'",)
        assert made.decide(Facts("router/p")).warnings == ()
        assert made.decide(Facts("router/p", options=RoutingOptions(models=("ghost",)))).warnings == (
            "no configured provider serves 'ghost'",
        )

    def test_two_routers_of_one_name_are_refused(self):
        with pytest.raises(ValueError, match="two routers are called 'support'"):
            table(router(), router())

    def test_the_same_facts_give_the_same_bytes(self):
        policy = Policy(
            "p",
            routes=(
                Route("a", (variant("x", 50, "auto"), variant("y", 50, "llama")), Condition("messages.has() && n > 1")),
            ),
            default=Route("b", (variant(),)),
            experiment=Experiment(holdout=10, control="x"),
        )
        health = {"groq/llama": TargetHealth(latency_s=0.3), "openai/gpt": TargetHealth(latency_s=0.2)}
        for number in range(50):
            facts = Facts(
                "router/p",
                user=f"u{number}" if number % 2 else None,
                seed="s",
                metadata={"n": number % 4},
                messages=({"role": "user", "content": "hi"},),
                health=health,
            )
            before = pickle.dumps(copy.deepcopy(facts))
            first, second = (pickle.dumps(table(policy).decide(copy.deepcopy(facts))) for _ in range(2))
            assert first == second
            assert pickle.dumps(copy.deepcopy(facts)) == before

    def test_the_shares_of_routes_that_draw_are_known(self):
        split = Route("split", (variant("a", weight=25), variant("b", weight=75)))
        made = table(Policy("p", routes=(Route("one", (variant(),), Condition("true")),), default=split))
        assert made.weights(0.0) == {("p", "split"): {"a": 0.25, "b": 0.75}}


class TestPatience:
    CHAT, VOICE = Limits(max_attempts=5), Limits(max_attempts=2)

    def attempts(self, model, protocol, *policies, **more):
        decision = table(*policies, limits=self.CHAT, **more).decide(Facts(model, protocol=protocol))
        return decision.plan.limits.max_attempts

    def test_a_voice_session_has_limits_of_its_own(self):
        own = router(limits=Limits(max_attempts=7), spoken_limits=Limits(max_attempts=1))
        for protocol, plain, routed in (("chat", 5, 7), ("realtime", 2, 1)):
            assert self.attempts("groq/llama", protocol, spoken_limits=self.VOICE) == plain
            assert self.attempts("router/support", protocol, own, spoken_limits=self.VOICE) == routed

    def test_without_any_the_usual_limits_hold_in_it_too(self):
        assert self.attempts("groq/llama", "realtime") == 5
        assert self.attempts("router/support", "realtime", router()) == 5
        assert self.attempts("router/support", "realtime", router(limits=Limits(max_attempts=7))) == 7

    def test_a_routers_own_limits_come_before_the_usual_ones_of_voice(self):
        own = router(limits=Limits(max_attempts=7))
        assert self.attempts("router/support", "realtime", own, spoken_limits=self.VOICE) == 7
