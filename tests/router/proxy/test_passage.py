"""The other OpenAI calls are passed through under the same plan and record."""

import pytest

from .stand_in import StandIn, door


@pytest.mark.parametrize("path", ["completions", "embeddings", "moderations", "images/generations"])
async def test_json_calls_pass_with_their_body_untouched(path):
    router = StandIn()
    async with door(router) as client:
        answer = await client.post(f"/v1/{path}", content=b'{"model": "demo/fast",  "input": "x", "odd": 1}')
    assert answer.status_code == 200
    assert answer.json()["metadata"]["attempts"]
    assert answer.headers["x-rr-attempts"] == "1"
    assert router.calls[0][:2] == (f"/{path}", b'{"model": "demo/fast",  "input": "x", "odd": 1}')


async def test_speech_comes_back_as_audio():
    async with door() as client:
        answer = await client.post("/v1/audio/speech", json={"model": "demo/fast", "input": "x", "voice": "alloy"})
    assert (answer.content, answer.headers["content-type"]) == (b"RIFF", "audio/wav")
    assert answer.headers["x-rr-model"] == "demo/fast"


async def test_a_form_names_its_model():
    router = StandIn()
    async with door(router) as client:
        files = {"file": ("a.wav", b"RIFF" * 100, "audio/wav")}
        answer = await client.post("/v1/audio/transcriptions", files=files, data={"model": "demo/fast"})
    assert answer.status_code == 200
    assert router.calls[0][0] == "/audio/transcriptions"
    assert router.calls[0][3] == "demo/fast"


@pytest.mark.parametrize(
    ("path", "content", "kind", "param"),
    [
        ("embeddings", b"{}", "application/json", "model"),
        ("embeddings", b"[", "application/json", None),
        ("embeddings", b'{"model": 5}', "application/json", "model"),
        ("audio/transcriptions", b"{}", "application/json", None),
        ("audio/transcriptions", b"junk", "multipart/form-data; boundary=x", None),
        ("audio/transcriptions", b"--x--\r\n", "multipart/form-data; boundary=x", "model"),
    ],
)
async def test_bad_calls_are_400(path, content, kind, param):
    async with door() as client:
        answer = await client.post(f"/v1/{path}", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_usual_models_hold_where_openai_lets_them_out():
    router = StandIn()
    async with door(router) as client:
        answer = await client.post("/v1/moderations", json={"input": "x"})
    assert answer.status_code == 200
    assert router.calls[0][3] == "omni-moderation-latest"
