"""What a request is told that nobody here can answer."""

import pytest

from policies import (
    Facts,
    RoutingRefusal,
    RoutingTable,
    Targets,
    UnknownModel,
    UnknownRouter,
)

from .tables import decide, router, variant


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
def test_what_nobody_serves_is_refused_with_near_names(model, status, code, words):
    aliases = {"broken": "absent/x", "loop": "loop", "to-no-router": "router/gone"}
    with pytest.raises(RoutingRefusal, match=r".") as refused:
        decide(model, router(), aliases=aliases)
    assert (refused.value.status, refused.value.code, refused.value.param) == (status, code, "model")
    assert words in refused.value.message
    assert refused.value.type == "invalid_request_error"


def test_with_nothing_configured_it_says_so():
    empty = RoutingTable(Targets([]))
    with pytest.raises(UnknownModel, match="configured are: none"):
        empty.decide(Facts("gpt"))
    with pytest.raises(UnknownRouter, match="configured are: none"):
        empty.decide(Facts("router/x"))
    with pytest.raises(UnknownModel, match="leads to anything"):
        empty.decide(Facts("auto"))


def test_a_router_that_leads_nowhere_says_where():
    with pytest.raises(UnknownModel, match="'router/support' leads to 'absent/x', and no configured provider serves"):
        decide("router/support", router(variant(model="absent/x", fallbacks=("ghost",))))


def test_auto_for_a_kind_of_model_that_nobody_has_says_which_kind():
    with pytest.raises(UnknownModel, match="no configured provider has a model for image generation; configured are"):
        decide("auto", kind="image_generation")
