"""Reading a chat document: routing fields in both places, nothing of ours to a provider, clear refusals."""

import pytest

from policies import Feature
from router import Refusal
from router.request import parse_chat, parse_other

BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def refused(**fields):
    with pytest.raises(Refusal) as caught:
        parse_chat({**BODY, **fields})
    assert caught.value.status == 400
    assert caught.value.message.startswith(f"{caught.value.param}")
    return caught.value.param


def test_a_document_without_routing_fields_passes_as_it_is():
    document = {**BODY, "temperature": 0.3, "whatever": [1]}
    assert parse_chat(document).document is document


def test_routing_fields_count_in_both_places_and_never_reach_a_provider():
    read = parse_chat(
        {
            **BODY,
            "models": ["a"],
            "sort": ["price"],
            "metadata": {"tier": "free", "age": 7},
            "seed": 1,
            "extra_body": {"models": ["b", "c"], "metadata": {"tier": "vip"}, "ignore": ["x"], "odd": 1},
        }
    )
    assert read.options.models == ("b", "c")
    assert read.options.sort == ("price",)
    assert read.options.ignore == ("x",)
    assert read.metadata == {"tier": "vip", "age": 7}
    assert read.document == {**BODY, "seed": 1}
    assert [(w.code, w.message) for w in read.warnings] == [
        ("extra_body_ignored", "extra_body: odd: not passed on; send at top level")
    ]


def test_a_compression_that_we_do_not_make_reaches_no_provider_and_is_said():
    message = {"role": "user", "content": "hi"}
    read = parse_chat({"model": "m", "messages": [{**message, "compression": {"aggressiveness": 0.5}}, message]})
    assert read.document == {"model": "m", "messages": [message, message]}
    assert read.messages == [message, message]
    assert [w.code for w in read.warnings] == ["compression_unavailable"]


def test_provider_order_and_fallbacks_are_read():
    options = parse_chat({**BODY, "provider": {"order": ["a", "b"], "allow_fallbacks": False}}).options
    assert (options.provider_order, options.allow_fallbacks) == (("a", "b"), False)


@pytest.mark.parametrize(("text", "seconds"), [("300ms", 0.3), ("1s", 1.0), ("1.5s", 1.5), ("2000ms", 2.0)])
def test_a_first_token_limit_is_a_duration(text, seconds):
    assert parse_chat({**BODY, "fallback": {"ttft_timeout": text}}).options.first_token_s == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["299ms", "0s", "1", "1 s", "1m", "-1s", "1e3s", 500, ["1s"], "9999999s", "\u0661s"])
def test_any_other_first_token_limit_is_refused(text):
    assert refused(fallback={"ttft_timeout": text}) == "fallback.ttft_timeout"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": " "}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"user": 7}, "user"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"models": "a"}, "models"),
        ({"models": [""]}, "models"),
        ({"models": ["a"] * 65}, "models"),
        ({"sort": [1]}, "sort"),
        ({"ignore": {}}, "ignore"),
        ({"provider": []}, "provider"),
        ({"provider": {"order": "a"}}, "provider.order"),
        ({"provider": {"allow_fallbacks": "no"}}, "provider.allow_fallbacks"),
        ({"fallback": "1s"}, "fallback"),
        ({"prompt_variables": []}, "prompt_variables"),
        ({"reasoning": "high"}, "reasoning"),
        ({"web_search": True}, "web_search"),
        ({"extra_body": []}, "extra_body"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {str(n): 1 for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 65: 1}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"metadata": {"k": {"a": 1}}}, "metadata.k"),
        ({"metadata": {"k": [0] * 65}}, "metadata.k"),
        ({"provider_credentials": "x"}, "provider_credentials"),
        ({"provider_credentials": {"openai": 7}}, "provider_credentials.openai"),
        ({"provider_credentials": {"openai": "a\nb"}}, "provider_credentials.openai"),
        ({"provider_credentials": {"openai": {"api_key": "x", "base_url": "http://a"}}}, "provider_credentials.openai"),
    ],
)
def test_a_field_that_cannot_be_is_refused_by_name(fields, param):
    assert refused(**fields) == param


def test_a_refusal_never_shows_a_key():
    with pytest.raises(Refusal) as caught:
        parse_chat({**BODY, "provider_credentials": {"openai": {"api_key": "sk-secret\u00e9"}}})
    assert "secret" not in caught.value.message


def test_credentials_are_read_and_not_shown():
    read = parse_chat({**BODY, "provider_credentials": {"a": "sk-one", "b": {"api_key": "sk-two"}}})
    assert read.credentials == {"a": "sk-one", "b": "sk-two"}
    assert "sk-one" not in repr(read)


def test_metadata_goes_to_the_provider_only_when_the_answer_is_stored():
    assert "metadata" not in parse_chat({**BODY, "metadata": {"a": "b"}}).document
    assert parse_chat({**BODY, "metadata": {"a": "b"}, "store": True}).document["metadata"] == {"a": "b"}
    assert "metadata" not in parse_chat({**BODY, "metadata": {"a": 1}, "store": True}).document


def test_reasoning_overrides_the_effort():
    read = parse_chat({**BODY, "reasoning": {"effort": "high"}, "reasoning_effort": "low"})
    assert read.document["reasoning_effort"] == "high"


def test_a_web_search_we_cannot_make_is_said():
    assert [w.code for w in parse_chat({**BODY, "web_search": {}}).warnings] == ["web_search_unavailable"]


def test_needs_are_read_from_the_document():
    parts = [
        {"type": "text", "text": "x" * 400},
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "input_audio", "input_audio": {}},
        "odd",
    ]
    needs = parse_chat(
        {
            "model": "m",
            "messages": [{"role": "user", "content": parts}, {"role": "user", "content": "y" * 40}],
            "tools": [{}],
            "response_format": {"type": "json_schema"},
            "modalities": ["text", "audio"],
            "max_tokens": 9,
        }
    ).needs
    assert needs.features == {
        Feature.TOOLS,
        Feature.VISION,
        Feature.JSON_SCHEMA,
        Feature.AUDIO_INPUT,
        Feature.AUDIO_OUTPUT,
    }
    assert needs.prompt_tokens == 118
    assert needs.max_output_tokens == 9


def test_explain_needs_no_messages_and_other_endpoints_have_none():
    assert parse_chat({"model": "m"}, empty_messages=True).messages == []
    assert parse_chat({"model": "m", "messages": []}, empty_messages=True).messages == []
    assert parse_other({"model": "m", "input": "x", "sort": ["price"]}).document == {"model": "m", "input": "x"}


def test_usage_is_wanted_only_when_asked_for():
    assert parse_chat({**BODY, "stream_options": {"include_usage": True}}).wants_usage
    assert not parse_chat(BODY).wants_usage
