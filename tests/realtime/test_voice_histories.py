"""Whatever a client sends, in whatever order: the server lives, the session lives or is closed properly."""

import asyncio
import base64
import contextlib
import json

import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .voice_rig import running

SERVER = """
version: 1
records: {url: null}
providers: {scripted: {kind: scripted}}
routers: []
realtime:
  model: scripted/ok
  transcription: {model: scripted/hears, fallbacks: [scripted/dead]}
  speech: {model: scripted/dies-after-3-words, fallbacks: [scripted/speaks]}
  limits: {packets_per_second: 100000, concurrent_sessions: 100}
"""
PROPER = {1000, 1001, 1007, 1008, 1009}

ids = st.sampled_from(["item_a", "item_b", "item_c", "resp_x", "", "root"])
audio = st.binary(max_size=9_000).map(lambda raw: base64.b64encode(raw).decode())
texts = st.text(max_size=40)
content = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "input_text", "text": text}, texts),
        st.builds(lambda sound: {"type": "input_audio", "audio": sound}, audio),
        st.builds(lambda text: {"type": "output_text", "text": text}, texts),
        st.just({"type": "nonsense"}),
    ),
    max_size=2,
)
items = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("message"), "role": st.sampled_from(["user", "assistant", "system"]), "content": content},
        optional={"id": ids},
    ),
    st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": ids, "output": texts}),
)
turns = st.one_of(
    st.none(),
    st.just({"type": "server_vad", "silence_duration_ms": 200}),
    st.just({"type": "semantic_vad", "eagerness": "high"}),
    st.just({"type": "server_vad", "threshold": 7}),
)
formats = st.sampled_from([{"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcmu"}, {"type": "audio/mp3"}])


def event(kind, **fields):
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=fields)


events = st.one_of(
    st.builds(lambda sound: {"type": "input_audio_buffer.append", "audio": sound}, audio),
    event("input_audio_buffer.commit"),
    event("input_audio_buffer.clear"),
    event("output_audio_buffer.clear"),
    event("conversation.item.create", item=items, previous_item_id=ids),
    event("conversation.item.delete", item_id=ids),
    event("conversation.item.retrieve", item_id=ids),
    event(
        "conversation.item.truncate", item_id=ids, content_index=st.integers(-1, 2), audio_end_ms=st.integers(-5, 900)
    ),
    event("response.create", response=st.sampled_from([{}, {"conversation": "none"}, {"output_modalities": ["text"]}])),
    event("response.cancel", response_id=ids),
    st.builds(
        lambda turn, form: {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": turn, "format": form}}},
        },
        turns,
        formats,
    ),
    st.just({"type": "no.such.event"}),
    st.just([1, 2]),
)
frames = st.one_of(events.map(json.dumps), st.text(max_size=20), st.binary(max_size=20))


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with running(tmp_path_factory.mktemp("voice"), SERVER, {}) as port:
        yield port


async def lived_through(port, history, path):
    """Whether the session still answers after all this, or how it was closed."""
    answered, seen = "the session still answers", []
    headers = {"authorization": "Bearer unused"}
    async with websockets.connect(f"ws://127.0.0.1:{port}{path}", additional_headers=headers, max_size=None) as socket:
        with contextlib.suppress(websockets.ConnectionClosed):
            for frame in history:
                await socket.send(frame)
            await socket.send(json.dumps({"type": "conversation.item.retrieve", "item_id": answered}))
            async with asyncio.timeout(10):
                async for text in socket:
                    seen.append(json.loads(text))
                    if seen[-1]["type"] == "error" and answered in (seen[-1]["error"]["message"] or ""):
                        break
        return seen, socket.close_code


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=st.lists(frames, max_size=14), inworld=st.booleans())
def test_any_history_leaves_a_session_that_answers(port, history, inworld):
    path = "/api/v1/realtime/session?key=k&protocol=realtime" if inworld else "/v1/realtime?model=scripted/ok"
    seen, code = asyncio.run(lived_through(port, history, path))
    alive = bool(seen) and seen[-1]["type"] == "error" and "still answers" in seen[-1]["error"]["message"]
    assert alive or code in PROPER, (code, seen[-3:])
    created = [one["response"]["id"] for one in seen if one["type"] == "response.created"]
    done = [one["response"]["id"] for one in seen if one["type"] == "response.done"]
    assert len(set(done)) == len(done)
    assert set(done) <= set(created)
