"""Whole voice conversations with a running server: real speech in, exact words heard, an answer spoken."""

import asyncio
import base64
import json

import numpy as np
import pytest

from realtime.audio.g711 import encode_alaw, encode_ulaw
from realtime.speech.local_stt import PocketsphinxTranscriber
from realtime.stages.base import Utterance

from .voice_rig import connected, end, grammar, resampled, running, trimmed, words

SERVER = """
version: 1
records: {url: null}
providers:
  demo: {kind: demo}
routers: [routers]
realtime: {transcription: {grammar: sentences.jsgf}}
"""
VOICE = """
router: voice
routes:
  - id: gold
    when: metadata.tier == "gold"
    variants: [{id: gold, weight: 100, model: demo/smart}]
  - id: fast-talker
    when: '"rate_wpm" in voice && voice.rate_wpm > 60.0 && metadata.by == "voice"'
    variants: [{id: voiced, weight: 100, model: demo/flaky, fallbacks: [demo/fast]}]
default:
  id: default
  variants:
    - {id: a, weight: 50, model: demo/fast}
    - {id: b, weight: 50, model: demo/fast}
"""
HEARD = "conversation.item.input_audio_transcription.completed"
TELL = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with running(grammar(tmp_path_factory.mktemp("voice")), SERVER, {"voice": VOICE}) as port:
        yield port


async def heard_back(audio, rate=24_000):
    """The words of an answer, as the local recogniser hears them."""
    ears = PocketsphinxTranscriber()
    try:
        hearing = await ears.open(Utterance())
        hearing.feed(resampled(np.frombuffer(audio, dtype="<i2"), rate, 16_000).tobytes() + bytes(16_000))
        return (await hearing.finish()).text
    finally:
        await ears.aclose()


async def test_a_question_is_heard_exactly_and_the_answer_can_be_heard(port, caller):
    async with connected(port) as client:
        await client.send("session.update", session=TELL)
        await client.until("session.updated")
        client.say(caller("count to five"))
        stopped = await client.until("input_audio_buffer.speech_stopped")
        committed = await client.until("input_audio_buffer.committed")
        response = await client.done()
        [heard] = client.of(HEARD)
    assert heard["transcript"].strip() == "count to five"
    assert heard["item_id"] == stopped["item_id"] == committed["item_id"]
    assert words(response) == "one, two, three, four, five."
    assert await heard_back(client.audio()) == "one two three four five"
    stages = [attempt["stage"] for attempt in json.loads(response["metadata"]["attempts"])]
    assert set(stages) == {"stt", "llm", "tts"}


async def test_a_conversation_remembers(port, caller):
    async with connected(port) as client:
        client.say(caller("my name is john"))
        await client.done()
        client.say(caller("what is my name"))
        # The second question interrupts nothing: audio is sent faster than it is played, and the reply is complete.
        response = await client.done()
    assert words(response) == "Your name is john."


@pytest.mark.parametrize(
    ("form", "rate", "coding"),
    [
        ({"type": "audio/pcmu"}, 8_000, encode_ulaw),
        ({"type": "audio/pcma"}, 8_000, encode_alaw),
        ({"type": "audio/pcm", "rate": 24_000}, 24_000, None),
    ],
)
async def test_telephone_formats_in_and_out(port, caller, form, rate, coding):
    encode = (lambda samples: coding(samples.astype(np.int16))) if coding else None
    async with connected(port, rate=rate, coding=encode) as client:
        audio = {"input": {"format": form, "transcription": {"model": "whisper-1"}}, "output": {"format": form}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await client.until("session.updated")
        client.say(caller("what is the time"))
        response = await client.done()
        [heard] = client.of(HEARD)
    assert heard["transcript"].strip()  # a wide-band recogniser on narrow-band speech: words, not exact ones
    assert response["status"] == "completed"
    seconds = len(client.audio()) / (rate * (1 if coding else 2))
    assert 1.0 < seconds < 12.0


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
async def test_pcm_at_other_rates_on_inworlds_endpoint(port, caller, rate):
    async with connected(port, "/api/v1/realtime/session?key=k1&protocol=realtime", rate=rate) as client:
        form = {"type": "audio/pcm", "rate": rate}
        audio = {"input": {"format": form}, "output": {"format": form}}
        await client.send("session.update", session={"type": "realtime", "model": "inworld/voice", "audio": audio})
        updated = await client.until("session.updated")
        client.say(caller("what is the weather like today"))
        response = await client.done()
        [heard] = client.of(HEARD)
    assert updated["session"]["output_modalities"] == ["audio", "text"]
    if rate > 8_000:
        assert heard["transcript"].strip() == "what is the weather like today"
    assert 2.0 < len(client.audio()) / 2 / rate < 12.0
    attempts = response["metadata"]["attempts"]
    assert {attempt["stage"] for attempt in attempts} == {"stt", "llm", "tts"}
    assert all(attempt["model"] for attempt in attempts)


async def test_turns_ended_by_hand(port, caller):
    async with connected(port, microphone=False) as client:
        audio = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await client.until("session.updated")
        samples = resampled(trimmed(caller("what is the time")), 16_000, 24_000)
        for start in range(0, len(samples), 4_800):
            await client.append(samples[start : start + 4_800])
        await client.send("input_audio_buffer.commit")
        committed = await client.until("input_audio_buffer.committed")
        heard = await client.until(HEARD)
        assert (heard["item_id"], heard["transcript"].strip()) == (committed["item_id"], "what is the time")
        assert "response.created" not in client.kinds()
        await client.send("response.create")
        response = await client.done()
    assert "what is the time" in words(response)


async def test_a_tool_is_called_by_voice_and_its_result_spoken(port, caller):
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    async with connected(port) as client:
        await client.send("session.update", session={"type": "realtime", "tools": [tool]})
        client.say(caller("what is the weather in paris"))
        response = await client.done()
        [call] = response["output"]
        assert (call["type"], call["name"]) == ("function_call", "get_weather")
        assert isinstance(json.loads(call["arguments"]), dict)
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"sky": "sunny"}'}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        spoken = await client.done()
    assert "sunny" in words(spoken)
    assert len(client.audio(spoken["id"])) > 24_000


async def test_a_transcription_session_only_listens(port, caller):
    async with connected(port, "/v1/realtime?intent=transcription") as client:
        client.say(caller("hello how are you"))
        heard = await client.until(HEARD)
        await asyncio.sleep(0.5)
    assert client.events[0]["session"]["type"] == "transcription"
    assert heard["transcript"].strip() == "hello how are you"
    assert not [kind for kind in client.kinds() if kind.startswith("response.")]


async def test_a_response_beside_the_conversation(port, caller):
    async with connected(port, microphone=False) as client:
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say blue moon"}]}
        beside = {"conversation": "none", "input": [item], "output_modalities": ["text"], "metadata": {"topic": "x"}}
        await client.send("response.create", response=beside)
        response = await client.done()
        item["content"][0]["text"] = "what did i say"
        await client.send("conversation.item.create", item=item)
        await client.send("response.create", response={"output_modalities": ["text"]})
        second = await client.done()
    assert (words(response), response["conversation_id"], response["metadata"]["topic"]) == ("blue moon", None, "x")
    assert "what did i say" in words(second)


async def test_routing_by_metadata_by_voice_and_sticky_by_user(port, caller):
    async def served(session, sentence="hello how are you", turns=1):
        path = "/api/v1/realtime/session?key=k2&protocol=realtime"
        async with connected(port, path) as client:
            provider = {"providerData": session}
            await client.send("session.update", session={"type": "realtime", "model": "inworld/voice", **provider})
            found = []
            for _ in range(turns):
                client.say(caller(sentence))
                response = await client.done()
                attempts = response["metadata"]["attempts"]
                found.append(next((one["model"] for one in attempts if one["stage"] == "llm"), None))
            return found

    gold, plain, voiced = await asyncio.gather(
        served({"metadata": {"tier": "gold"}}),
        served({"user_id": "ann"}, turns=2),
        served({"metadata": {"by": "voice"}}, turns=2),
    )
    assert gold == ["demo/smart"]
    assert plain == ["demo/fast", "demo/fast"]
    assert voiced[-1] == "demo/flaky"


async def test_a_turn_that_sounds_complete_ends_early_and_one_that_does_not_waits(port, caller):
    async with connected(port) as client:
        audio = {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": {"type": "semantic_vad"}}}
        await client.send("session.update", session={"type": "realtime", "audio": audio})
        await client.until("session.updated")
        client.say(caller("what is the time"))
        stopped = await client.until("input_audio_buffer.speech_stopped")
        response = await client.done()
    assert "what is the time" in words(response)
    spoken_ms = len(trimmed(caller("what is the time"))) / 16
    assert stopped["audio_end_ms"] - client.spoken_from_ms < spoken_ms + 300 + 400  # base silence, and the verdict


async def test_speech_brought_in_an_item_is_heard_before_the_answer(port, caller):
    async with connected(port, microphone=False) as client:
        await client.send("session.update", session=TELL)
        recording = resampled(caller("what is the time"), 16_000, 24_000).astype("<i2").tobytes()
        part = {"type": "input_audio", "audio": base64.b64encode(recording).decode()}
        item = {"type": "message", "role": "user", "content": [part]}
        await client.send("conversation.item.create", item=item)
        await client.send("response.create", response={"output_modalities": ["text"]})
        response = await client.done()
        [heard] = client.of(HEARD)
    assert heard["transcript"].strip() == "what is the time"
    assert "what is the time" in words(response)


async def test_a_cleared_buffer_forgets_the_speech_in_it(port, caller):
    async with connected(port) as client:
        await client.send("session.update", session=TELL)
        client.say(caller("my name is john"))
        await client.until("input_audio_buffer.speech_started")
        client.silence()
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
        await asyncio.sleep(0.3)
        client.say(caller("hello how are you"))
        await client.done()
        heard = [event["transcript"].strip() for event in client.of(HEARD)]
    assert heard == ["hello how are you"]


async def test_a_server_that_ends_lets_the_reply_finish_and_says_goodbye(tmp_path_factory, caller):
    with running(grammar(tmp_path_factory.mktemp("voice")), SERVER, {"voice": VOICE}) as port:
        async with connected(port, microphone=False) as client:
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "count to twenty"}]}
            await client.send("conversation.item.create", item=item)
            await client.send("response.create")
            await client.until("response.created")
            end()
            response = await client.done()
            async with asyncio.timeout(20):
                while client.events[-1]["type"] != "closed":
                    await asyncio.sleep(0.05)
    assert response["status"] == "completed"
    assert client.events[-1]["code"] == 1001
