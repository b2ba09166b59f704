"""Inworld's nested spelling loads into the same model and prints back without loss."""

import json

import pytest

from router.config import ConfigError, load_router
from router.config.inworld import from_inworld, to_inworld
from router.config.router_file import RouterFile

REFERENCE = {
    "name": "my-router",
    "displayName": "My router",
    "defaults": {
        "text_generation_config": {"temperature": 0.7, "max_tokens": 512},
        "message_templates": [{"role": "system", "content": "You are {{agent}}."}],
        "optimize_prompt": True,
    },
    "routes": [
        {
            "condition": {"cel_expression": 'tier == "premium"'},
            "route": {
                "route_id": "premium",
                "variants": [
                    {
                        "weight": 80,
                        "variant": {
                            "variant_id": "a",
                            "model_id": "openai/gpt-5",
                            "model_selection": {
                                "models": ["anthropic/claude-opus-4-6"],
                                "ignore": [],
                                "sort": [{"metric": "SORT_METRIC_LATENCY", "direction": "SORT_DIRECTION_ASCENDING"}],
                                "provider": {"order": ["openai"], "allow_fallbacks": True},
                            },
                            "text_generation_config": {
                                "max_tokens": 300,
                                "stop_sequences": ["END"],
                                "logit_bias": [{"token_id": "50256", "bias_value": -100}],
                                "reasoning": {"effort": "low"},
                            },
                            "message_templates": [
                                {"role": "system", "content_items": [{"text": "one"}, {"text": "two"}]},
                                {"role": "assistant", "tool_calls": [{"id": "c", "name": "f", "args": "{}"}]},
                                {"role": "tool", "content": "x", "tool_call_id": "c"},
                            ],
                            "web_search": {"engine": "exa", "max_results": 3, "max_steps": 1},
                            "compression": {"aggressiveness": 0.5},
                        },
                    },
                    {"weight": 20, "variant": {"variant_id": "b", "model_id": "auto"}},
                ],
            },
        }
    ],
    "defaultRoute": {
        "route_id": "default",
        "variants": [{"variant": {"variant_id": "v1", "model_id": "openai/gpt-5"}, "weight": 100}],
    },
}


def camelled(value):
    if isinstance(value, dict):
        return {
            "".join(w.capitalize() if n else w for n, w in enumerate(k.split("_"))): camelled(v)
            for k, v in value.items()
        }
    return [camelled(item) for item in value] if isinstance(value, list) else value


def test_the_reference_loads_and_prints_back_as_it_was():
    assert to_inworld(from_inworld(REFERENCE)) == REFERENCE


def test_snake_and_camel_case_mean_the_same():
    snake = json.loads(
        json.dumps(REFERENCE).replace("displayName", "display_name").replace("defaultRoute", "default_route")
    )
    assert from_inworld(snake) == from_inworld(REFERENCE) == from_inworld(camelled(REFERENCE))


def test_our_own_words_survive_the_other_spelling():
    router = RouterFile.model_validate_json(
        json.dumps(
            {
                "router": "r",
                "unit": ["user", "metadata.s"],
                "salt": "s1",
                "fallbacks": ["demo/fast"],
                "intents": {"a": ["b"]},
                "experiment": {"holdout": 5, "layer": {"name": "m", "slots": [0, 50]}},
                "routes": [
                    {
                        "id": "x",
                        "when": "true",
                        "variants": [
                            {"id": "v", "weight": 100, "model": "auto", "fallbacks": ["demo/smart"], "sort": ["price"]}
                        ],
                    }
                ],
            }
        ),
        strict=True,
    )
    assert from_inworld(to_inworld(router)) == router


@pytest.mark.parametrize("name", ["inworld/my-router", "routers/my-router", "my-router"])
def test_prefixes_of_the_name_fall_off(name):
    assert from_inworld({**REFERENCE, "name": name}).router == "my-router"


def test_older_and_plainer_spellings_are_understood():
    router = from_inworld(
        {
            "name": "r",
            "routes": [
                {"route_id": "x", "when": "true", "variants": [{"variant_id": "v", "model_id": "m", "weight": 100}]}
            ],
            "default_route": {
                "route_id": "d",
                "variants": [
                    {
                        "weight": 100,
                        "variant": {
                            "variantId": "v",
                            "modelId": "auto",
                            "modelSelection": {"sort": ["SORT_METRIC_PRICE", {"metric": "math"}]},
                            "textGenerationConfig": {"max_new_tokens": 5},
                        },
                    }
                ],
            },
        }
    )
    assert router.default.variants[0].parameters == {"max_tokens": 5}
    assert router.default.variants[0].sort == ("price", "math")
    assert router.routes[0].when == "true"


@pytest.mark.parametrize("config", [{"max_new_tokens": 5, "max_tokens": 6}, {"max_tokens": 6, "maxNewTokens": 5}])
def test_one_limit_under_two_names_is_refused_when_they_differ(config):
    variant = {"variant_id": "v", "model_id": "m", "text_generation_config": config}
    document = {"name": "r", "defaultRoute": {"route_id": "d", "variants": [{"weight": 100, "variant": variant}]}}
    with pytest.raises(ConfigError, match="another name of max_tokens"):
        from_inworld(document)
    config["max_tokens"] = 5
    assert from_inworld(document).default.variants[0].parameters == {"max_tokens": 5}


def test_a_first_token_limit_survives_the_other_spelling():
    variant = {"variant_id": "v", "model_id": "m", "fallback": {"ttftTimeout": "800ms"}}
    route = {"route_id": "d", "variants": [{"weight": 100, "variant": variant}]}
    router = from_inworld({"name": "r", "defaults": {"fallback": {"ttft_timeout": "1s"}}, "defaultRoute": route})
    assert router.default.variants[0].fallback.ttft_timeout == "800ms"
    assert to_inworld(router)["defaults"] == {"fallback": {"ttft_timeout": "1s"}}
    assert from_inworld(to_inworld(router)) == router


def test_what_is_not_understood_is_refused_at_its_place(tmp_path):
    path = tmp_path / "r.json"
    path.write_text(
        '{"name": "r",\n "defaultRoute": {"route_id": "d",\n "variants": [{"weight": "x", "varient": {}}]}}'
    )
    with pytest.raises(ConfigError) as caught:
        load_router(path, {})
    text = str(caught.value)
    assert f"{path}:3:15: default.variants[0].id: is missing" in text
    assert f"{path}:3:26: default.variants[0].weight: must be a number, is 'x'" in text
    assert "default.variants[0].varient: unknown key" in text


@pytest.mark.parametrize("bad", [{"routes": 5}, {"routes": [5]}, {"defaults": 5}, {"defaultRoute": []}])
def test_wrong_shapes_are_refused(bad):
    with pytest.raises(ConfigError):
        from_inworld({"name": "r", **bad})


def test_a_file_without_a_name_is_called_as_the_file(tmp_path):
    path = tmp_path / "kept.json"
    path.write_text(json.dumps({key: value for key, value in REFERENCE.items() if key != "name"}))
    assert load_router(path, {}).router.router == "kept"
