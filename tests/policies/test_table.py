"""The one path that decides: model strings, routers, routing fields, refusals."""

import copy
import pickle
from dataclasses import replace

import pytest

from policies import (
    BadRoutingField,
    Condition,
    Experiment,
    Facts,
    Feature,
    Limits,
    ModelChoice,
    Needs,
    NoRouteMatched,
    Policy,
    Prices,
    Reason,
    Route,
    RoutingOptions,
    RoutingRefusal,
    RoutingTable,
    Target,
    TargetHealth,
    Targets,
    Timeouts,
    UnknownModel,
    UnknownRouter,
    Variant,
)

KNOWN = (
    Target("groq", "llama", prices=Prices(1e-6, 1e-6), lacks=frozenset({Feature.VISION})),
    Target("openai", "llama", prices=Prices(3e-6, 3e-6)),
    Target("openai", "gpt", prices=Prices(9e-6, 9e-6)),
    Target("mine", "llama"),
    Target("demo", "fast", prices=Prices(0.0, 0.0)),
    Target("inworld", "inworld-tts", kind="speech"),
)
PROVIDERS = ("groq", "openai", "mine", "demo", "inworld")


def table(*policies, aliases=None, **more):
    return RoutingTable(Targets(PROVIDERS, KNOWN), policies, aliases=aliases or {}, **more)


def variant(name="only", weight=100, model="groq/llama", **choice):
    return Variant(name, weight, ModelChoice(model, **choice))


def router(*variants, name="support", **more):
    return Policy(name, default=Route("default", variants or (variant(),)), **more)


def order(decision, *, usable=True):
    return [c.target.name for c in decision.plan.candidates if not usable or c.skipped is None]


def decide(model, *policies, aliases=None, **facts):
    return table(*policies, aliases=aliases).decide(Facts(model, **facts))


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

    @pytest.mark.parametrize(
        ("model", "status", "code", "words"),
        [
            ("lama", 404, "model_not_found", "did you mean 'llama'"),
            ("opnai/gpt", 404, "model_not_found", "did you mean 'openai/gpt'"),
            ("grok/x", 404, "model_not_found", "provider 'grok' is not configured"),
            ("grok/x", 404, "model_not_found", "did you mean 'groq'?"),
            ("", 404, "model_not_found", "configured are: groq, openai, mine, demo, inworld"),
            ("openai", 404, "model_not_found", "served by no configured provider"),
            ("router/suport", 404, "router_not_found", "did you mean 'router/support'?"),
            ("inworld/nothing", 404, "router_not_found", "configured are: support"),
            ("broken", 404, "model_not_found", "stands for 'absent/x'"),
            ("loop", 404, "model_not_found", "stands for 'loop'"),
            ("to-no-router", 404, "router_not_found", "there is no router 'gone'"),
        ],
    )
    def test_what_nobody_serves_is_refused_with_near_names(self, model, status, code, words):
        aliases = {"broken": "absent/x", "loop": "loop", "to-no-router": "router/gone"}
        with pytest.raises(RoutingRefusal, match=r".") as refused:
            decide(model, router(), aliases=aliases)
        assert (refused.value.status, refused.value.code, refused.value.param) == (status, code, "model")
        assert words in refused.value.message
        assert refused.value.type == "invalid_request_error"

    def test_with_nothing_configured_it_says_so(self):
        empty = RoutingTable(Targets([]))
        with pytest.raises(UnknownModel, match="configured are: none"):
            empty.decide(Facts("gpt"))
        with pytest.raises(UnknownRouter, match="configured are: none"):
            empty.decide(Facts("router/x"))
        with pytest.raises(UnknownModel, match="leads to anything"):
            empty.decide(Facts("auto"))


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


class TestLineups:
    def test_the_order_is_model_fallbacks_models_shared_fallbacks_and_the_requests_own(self):
        policy = router(
            variant(model="openai/gpt", fallbacks=("mine/a",), models=("mine/b", "mine/c")),
            fallbacks=("demo/fast", "mine/a"),
        )
        decision = decide("router/support", policy, options=RoutingOptions(models=("groq/llama", "mine/b")))
        assert order(decision) == ["openai/gpt", "mine/a", "mine/b", "mine/c", "demo/fast", "groq/llama"]

    def test_bare_models_and_whole_providers_expand(self):
        policy = router(variant(model="openai/gpt", fallbacks=("llama", "demo")))
        assert order(decide("router/support", policy)) == [
            "openai/gpt",
            "groq/llama",
            "openai/llama",
            "mine/llama",
            "demo/fast",
        ]

    def test_a_sort_orders_the_models_but_not_what_stands_before(self):
        options = RoutingOptions(models=("openai/gpt", "absent/x", "groq/llama", "openai/llama"), sort=("price",))
        decision = decide("mine/first", options=options)
        assert order(decision) == ["mine/first", "groq/llama", "openai/llama", "openai/gpt"]
        assert decision.plan.candidates[-1].skipped == "not configured"
        assert decision.warnings == ("no configured provider serves 'absent/x'",)

    def test_provider_order_comes_before_the_quickest(self):
        decision = decide("llama", options=RoutingOptions(provider_order=("mine", "nobody", "openai")))
        assert order(decision) == ["mine/llama", "openai/llama", "groq/llama"]

    def test_without_fallbacks_one_provider_answers_but_models_still_follow(self):
        health = {"openai/llama": TargetHealth(latency_s=0.1), "groq/llama": TargetHealth(latency_s=0.2)}
        options = RoutingOptions(allow_fallbacks=False, models=("openai/gpt",))
        assert order(decide("llama", options=options, health=health)) == ["openai/llama", "openai/gpt"]
        options = RoutingOptions(allow_fallbacks=False, provider_order=("mine", "groq"))
        assert order(decide("llama", options=options, health=health)) == ["mine/llama", "groq/llama"]

    def test_ignored_models_and_providers_are_named_as_such(self):
        decision = decide("llama", options=RoutingOptions(ignore=("openai", "mine/llama")))
        assert order(decision) == ["groq/llama"]
        explicit = decide("openai/gpt", options=RoutingOptions(models=("groq/llama",), ignore=("gpt",)))
        assert [candidate.skipped for candidate in explicit.plan.candidates] == ["ignored", None]
        assert order(decide("auto", options=RoutingOptions(ignore=("openai",), sort=("price",)))) == [
            "groq/llama",
            "mine/llama",
        ]

    def test_auto_with_models_picks_from_those_alone(self):
        options = RoutingOptions(models=("openai", "groq/llama", "absent/x"), sort=("price",))
        decision = decide("auto", options=options)
        assert order(decision) == ["groq/llama", "openai/llama", "openai/gpt"]
        policy = router(variant(model="auto", models=("llama",), sort=("price:descending",)), fallbacks=("auto",))
        routed = order(decide("router/support", policy))
        assert routed[:3] == ["openai/llama", "groq/llama", "mine/llama"]
        assert routed[3:] == ["openai/gpt"]

    def test_the_requests_sort_and_provider_fill_gaps_only(self):
        options = RoutingOptions(sort=("price",), provider_order=("mine",), ignore=("groq",))
        unsorted = router(variant(model="llama"))
        assert order(decide("router/support", unsorted, options=options)) == ["mine/llama", "openai/llama"]
        own = router(variant(model="llama", sort=("price:descending",), provider_order=("openai",), ignore=("mine",)))
        assert order(decide("router/support", own, options=options)) == ["openai/llama"]
        assert order(decide("router/support", own, options=RoutingOptions(sort=("latency",)))) == [
            "openai/llama",
            "groq/llama",
        ]

    def test_auto_lines_up_the_best_of_a_whole_catalogue_and_only_its_kind(self):
        many = [Target("mine", f"m{n}", prices=Prices(float(n), 0.0)) for n in range(300)]
        cheap = Target("mine", "embed", prices=Prices(0.0, 0.0), kind="embedding")
        made = RoutingTable(Targets(["mine"], [*reversed(many), cheap]))
        health = {"mine/m299": TargetHealth(latency_s=0.1)}
        found = order(made.decide(Facts("auto", health=health)))
        assert (found[0], found[1], len(found)) == ("mine/m299", "mine/m0", 50)
        options = RoutingOptions(models=("mine",), sort=("price",))
        assert order(made.decide(Facts("auto", options=options)))[0] == "mine/m0"

    def test_a_fallback_may_be_an_alias(self):
        policy = router(variant(model="openai/gpt", fallbacks=("house", "circle")))
        decision = decide("router/support", policy, aliases={"house": "mine/own", "circle": "circle"})
        assert order(decision) == ["openai/gpt", "mine/own"]

    def test_needs_and_health_reach_the_plan(self):
        decision = decide(
            "llama",
            needs=Needs(frozenset({Feature.VISION})),
            health={"openai/llama": TargetHealth(rests_until_s=9.0)},
            now_s=1.0,
        )
        assert order(decision) == ["mine/llama"]
        assert decision.model == "mine/llama"

    @pytest.mark.parametrize(
        ("model", "options", "param", "words"),
        [
            ("auto", RoutingOptions(sort=("speed", "price")), "sort", "'speed' is no metric; known are price"),
            ("auto", RoutingOptions(sort=("latencyy",)), "sort", "did you mean 'latency'?"),
            ("groq/llama", RoutingOptions(models=("router/x",)), "models", "'router/x' is a router"),
            ("groq/llama", RoutingOptions(models=("inworld/x",)), "models", "is a router"),
            ("groq/llama", RoutingOptions(models=("",)), "models", "is empty"),
            ("groq/llama", RoutingOptions(ignore=("groq",)), "ignore", "leaves no model"),
            ("auto", RoutingOptions(ignore=("groq", "openai", "mine", "demo")), "ignore", "leaves no model"),
            ("auto", RoutingOptions(models=("absent/x", "ghost")), "models", "no entry is served"),
        ],
    )
    def test_routing_fields_that_make_no_sense_are_refused(self, model, options, param, words):
        with pytest.raises(BadRoutingField, match=r".") as refused:
            decide(model, options=options)
        assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_routing_field", param)
        assert words in refused.value.message

    def test_a_router_that_leads_nowhere_says_where(self):
        with pytest.raises(
            UnknownModel, match="'router/support' leads to 'absent/x', and no configured provider serves"
        ):
            decide("router/support", router(variant(model="absent/x", fallbacks=("ghost",))))


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


def test_a_voice_session_has_limits_of_its_own():
    patient, spoken, own = (Limits(timeouts=Timeouts(total_s=seconds)) for seconds in (600.0, 60.0, 6.0))
    plain = RoutingTable(Targets(("groq",)), [router(variant())], limits=patient, spoken_limits=spoken)
    silent = RoutingTable(Targets(("groq",)), [router(variant(), limits=own)], limits=patient, spoken_limits=spoken)

    def total_s(made, model, protocol):
        return made.decide(Facts(model, protocol)).plan.limits.timeouts.total_s

    assert [total_s(plain, "router/support", one) for one in ("chat", "realtime")] == [600.0, 60.0]
    assert [total_s(plain, "groq/llama", one) for one in ("chat", "realtime")] == [600.0, 60.0]
    assert [total_s(silent, "router/support", one) for one in ("chat", "realtime")] == [6.0, 6.0]
