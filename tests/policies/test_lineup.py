"""Who is tried for a choice, in which order; routing fields of the request."""

import pytest

from policies import (
    BadRoutingField,
    Facts,
    Feature,
    Needs,
    Prices,
    RoutingOptions,
    RoutingTable,
    Target,
    TargetHealth,
    Targets,
)

from .tables import decide, order, router, variant


def test_the_order_is_model_fallbacks_models_shared_fallbacks_and_the_requests_own():
    policy = router(
        variant(model="openai/gpt", fallbacks=("mine/a",), models=("mine/b", "mine/c")),
        fallbacks=("demo/fast", "mine/a"),
    )
    decision = decide("router/support", policy, options=RoutingOptions(models=("groq/llama", "mine/b")))
    assert order(decision) == ["openai/gpt", "mine/a", "mine/b", "mine/c", "demo/fast", "groq/llama"]


def test_bare_models_and_whole_providers_expand():
    policy = router(variant(model="openai/gpt", fallbacks=("llama", "demo")))
    assert order(decide("router/support", policy)) == [
        "openai/gpt",
        "groq/llama",
        "openai/llama",
        "mine/llama",
        "demo/fast",
    ]


def test_a_sort_orders_the_models_but_not_what_stands_before():
    options = RoutingOptions(models=("openai/gpt", "absent/x", "groq/llama", "openai/llama"), sort=("price",))
    decision = decide("mine/first", options=options)
    assert order(decision) == ["mine/first", "groq/llama", "openai/llama", "openai/gpt"]
    assert decision.plan.candidates[-1].skipped == "not configured"
    assert decision.warnings == ("no configured provider serves 'absent/x'",)


def test_provider_order_comes_before_the_quickest():
    decision = decide("llama", options=RoutingOptions(provider_order=("mine", "nobody", "openai")))
    assert order(decision) == ["mine/llama", "openai/llama", "groq/llama"]


def test_without_fallbacks_one_provider_answers_but_models_still_follow():
    health = {"openai/llama": TargetHealth(latency_s=0.1), "groq/llama": TargetHealth(latency_s=0.2)}
    options = RoutingOptions(allow_fallbacks=False, models=("openai/gpt",))
    assert order(decide("llama", options=options, health=health)) == ["openai/llama", "openai/gpt"]
    options = RoutingOptions(allow_fallbacks=False, provider_order=("mine", "groq"))
    assert order(decide("llama", options=options, health=health)) == ["mine/llama", "groq/llama"]


def test_ignored_models_and_providers_are_named_as_such():
    decision = decide("llama", options=RoutingOptions(ignore=("openai", "mine/llama")))
    assert order(decision) == ["groq/llama"]
    explicit = decide("openai/gpt", options=RoutingOptions(models=("groq/llama",), ignore=("gpt",)))
    assert [candidate.skipped for candidate in explicit.plan.candidates] == ["ignored", None]
    assert order(decide("auto", options=RoutingOptions(ignore=("openai",), sort=("price",)))) == [
        "groq/llama",
        "mine/llama",
    ]


def test_auto_with_models_picks_from_those_alone():
    options = RoutingOptions(models=("openai", "groq/llama", "absent/x"), sort=("price",))
    decision = decide("auto", options=options)
    assert order(decision) == ["groq/llama", "openai/llama", "openai/gpt"]
    policy = router(variant(model="auto", models=("llama",), sort=("price:descending",)), fallbacks=("auto",))
    routed = order(decide("router/support", policy))
    assert routed[:3] == ["openai/llama", "groq/llama", "mine/llama"]
    assert routed[3:] == ["openai/gpt"]


def test_the_requests_sort_and_provider_fill_gaps_only():
    options = RoutingOptions(sort=("price",), provider_order=("mine",), ignore=("groq",))
    unsorted = router(variant(model="llama"))
    assert order(decide("router/support", unsorted, options=options)) == ["mine/llama", "openai/llama"]
    own = router(variant(model="llama", sort=("price:descending",), provider_order=("openai",), ignore=("mine",)))
    assert order(decide("router/support", own, options=options)) == ["openai/llama"]
    assert order(decide("router/support", own, options=RoutingOptions(sort=("latency",)))) == [
        "openai/llama",
        "groq/llama",
    ]


def test_auto_lines_up_the_best_of_a_whole_catalogue_and_only_its_kind():
    many = [Target("mine", f"m{n}", prices=Prices(float(n), 0.0)) for n in range(300)]
    cheap = Target("mine", "embed", prices=Prices(0.0, 0.0), kind="embedding")
    made = RoutingTable(Targets(["mine"], [*reversed(many), cheap]))
    health = {"mine/m299": TargetHealth(latency_s=0.1)}
    found = order(made.decide(Facts("auto", health=health)))
    assert (found[0], found[1], len(found)) == ("mine/m299", "mine/m0", 50)
    options = RoutingOptions(models=("mine",), sort=("price",))
    assert order(made.decide(Facts("auto", options=options)))[0] == "mine/m0"


def test_a_fallback_may_be_an_alias():
    policy = router(variant(model="openai/gpt", fallbacks=("house", "circle")))
    decision = decide("router/support", policy, aliases={"house": "mine/own", "circle": "circle"})
    assert order(decision) == ["openai/gpt", "mine/own"]


def test_needs_and_health_reach_the_plan():
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
def test_routing_fields_that_make_no_sense_are_refused(model, options, param, words):
    with pytest.raises(BadRoutingField, match=r".") as refused:
        decide(model, options=options)
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "invalid_routing_field", param)
    assert words in refused.value.message
