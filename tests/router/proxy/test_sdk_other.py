"""The openai SDK's other calls against a real server: the first target fails, the second answers, and it is said."""

import io

import openai
import pytest

from policies import ModelChoice, Policy, Route, RoutingTable, Target, Targets, Variant
from router import Router, State
from router.proxy import Access, create_app
from router.upstreams.demo import DemoUpstream
from router.upstreams.scripted import ScriptedUpstream
from router.upstreams.scripted.answer import CANONICAL

from .house import KEYS, served

BACKED = Policy("backed", default=Route("all", (Variant("only", 100, ModelChoice("far/500", fallbacks=("far/ok",))),)))
KNOWN = [
    Target("demo", "embedding", kind="embedding"),
    Target("demo", "moderation", kind="moderation"),
]


@pytest.fixture
def far():
    return ScriptedUpstream(keep_bodies=True)


@pytest.fixture
def client(far):
    table = RoutingTable(Targets(("demo", "far"), KNOWN), [BACKED])
    router = Router(State(table, {"demo": DemoUpstream(), "far": far}))
    with (
        served(create_app(router, access=Access(keys=KEYS))) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="secret-web", max_retries=0) as client,
    ):
        yield client


def asked(far):
    """What the provider saw of this test, oldest first."""
    return far.journal.models()


def wav():
    return ("a.wav", io.BytesIO(b"RIFF" * 300), "audio/wav")


def picture():
    return ("a.png", io.BytesIO(b"\x89PNG" * 300), "image/png")


@pytest.mark.parametrize("form", [{}, {"encoding_format": "base64"}, {"encoding_format": "float"}])
def test_embeddings_in_both_encodings(client, far, form):
    answer = client.embeddings.create(model="router/backed", input=["a", "b"], **form)
    wanted = "base64-text" if form.get("encoding_format") == "base64" else [0.75, 0.5]
    found = [one.embedding if isinstance(one.embedding, list) else "base64-text" for one in answer.data]
    assert found == [wanted] * 2
    assert [one["outcome"] for one in answer.model_extra["metadata"]["attempts"]] == ["http_5xx", "success"]
    assert asked(far) == ["500", "ok"]


def test_moderations(client, far):
    answer = client.moderations.create(model="router/backed", input="hello")
    assert answer.results[0].flagged is False
    assert asked(far) == ["500", "ok"]


def test_speech(client, far):
    raw = client.audio.speech.with_raw_response.create(model="router/backed", voice="alloy", input="hello")
    assert raw.content.startswith(b"RIFF")
    assert (raw.headers["x-rr-model"], raw.headers["x-rr-attempts"]) == ("far/ok", "2")
    assert asked(far) == ["500", "ok"]


@pytest.mark.parametrize("call", ["transcriptions", "translations"])
def test_recordings_as_forms(client, far, call):
    answer = getattr(client.audio, call).create(model="router/backed", file=wav())
    assert answer.text == CANONICAL
    assert asked(far) == ["500", "ok"]


def test_images(client, far):
    assert client.images.generate(model="router/backed", prompt="a dot").data[0].b64_json.startswith("R0lG")
    assert client.images.edit(model="router/backed", image=picture(), prompt="two dots").data[0].b64_json
    assert client.images.create_variation(model="router/backed", image=picture()).data[0].b64_json
    assert asked(far) == ["500", "ok"] * 3
    assert [seen.path for seen in far.journal.seen[::2]] == [
        "/images/generations",
        "/images/edits",
        "/images/variations",
    ]


def test_without_any_provider_the_demo_embeds_and_moderates(client):
    answer = client.embeddings.create(model="auto", input=["a red car", "two red cars", "the stock market"])
    first, near, off = (one.embedding for one in answer.data)
    assert answer.model == "demo/embedding"
    assert len(first) == 256
    assert sum(a * b for a, b in zip(first, near, strict=True)) > sum(a * b for a, b in zip(first, off, strict=True))
    found = client.moderations.create(input="I will kill it")
    assert (found.model, found.results[0].flagged) == ("demo/moderation", True)


def test_what_nobody_offers_is_a_clear_404(client):
    with pytest.raises(openai.NotFoundError, match="no configured provider has a model for image generation") as none:
        client.images.generate(prompt="a dot")
    assert none.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="no configured provider has a model for image generation"):
        client.images.edit(image=picture(), prompt="a dot")
    with pytest.raises(openai.NotFoundError, match="served by no configured provider"):
        client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(openai.NotFoundError, match="it chats, completes, embeds and moderates"):
        client.images.generate(model="demo/fast", prompt="a dot")
    with pytest.raises(openai.NotFoundError, match="'demo/embedding' answers /embeddings only"):
        client.chat.completions.create(model="demo/embedding", messages=[{"role": "user", "content": "hi"}])


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"input": ""}, "input"), ({"input": ["a"] * 2049}, "input"), ({"input": "a", "dimensions": 0}, "dimensions")],
)
def test_a_wrong_field_is_named(client, fields, param):
    with pytest.raises(openai.BadRequestError) as wrong:
        client.embeddings.create(model="demo/embedding", **fields)
    assert wrong.value.param == param
