"""`providerData` over a real socket: knobs of hearing and speaking, steering tags, what a speech server is asked."""

import asyncio
import json
import socket

import httpx
import pytest

from router.upstreams.scripted import ScriptedServer

from .voice_rig import connected, grammar, running, words

SERVER = """
version: 1
records: {{url: null}}
providers:
  demo: {{kind: demo}}
  up:
    kind: openai
    base_url: "http://127.0.0.1:{port}/v1"
    api_key: x
    allow_private: true
    speech: {{steering: [ok], extras: [delivery_mode, temperature], voice: nova}}
routers: [routers]
realtime:
  model: router/voice
  transcription: {{grammar: sentences.jsgf}}
"""
ROUTERS = {"voice": "router: voice\ndefault: {id: default, variants: [{id: a, weight: 100, model: demo/fast}]}\n"}
INWORLD = "/api/v1/realtime/session?key=a&protocol=realtime"
HEARD = "conversation.item.input_audio_transcription.completed"


@pytest.fixture(scope="module")
def upstream_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def port(tmp_path_factory, upstream_port):
    folder = grammar(tmp_path_factory.mktemp("extensions"))
    with running(folder, SERVER.format(port=upstream_port), ROUTERS) as port:
        yield port


async def updated(client, **session):
    await client.send("session.update", session=session)
    return await client.until("session.updated")


async def asked_to_say(client, text):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": f"say {text}"}]}
    await client.send("conversation.item.create", item=item)
    await client.send("response.create")
    return await client.done()


async def lines(port, upstream_port, text, **tts):
    """What the speech server was asked to say, and the response."""
    async with ScriptedServer(port=upstream_port, keep_bodies=True) as up, connected(port, INWORLD) as client:
        await updated(client, audio={"output": {"model": "up/ok"}}, providerData={"tts": tts})
        response = await asked_to_say(client, text)
        asked = [seen.document for seen in up.journal.seen if seen.path.endswith("/audio/speech")]
    shown = "".join(
        event["delta"]
        for kind in ("response.output_audio_transcript.delta", "response.output_text.delta")
        for event in client.of(kind)
    )
    return asked, response, shown


async def test_steering_tags_reach_a_voice_that_follows_them_in_every_segment_and_no_transcript(port, upstream_port):
    text = "[say warmly] Welcome back my friend. [laugh] It is nice to see you."
    asked, response, shown = await lines(port, upstream_port, text)
    assert [one["input"] for one in asked] == [
        "[say warmly] Welcome back my friend.",
        "[say warmly] [laugh] It is nice to see you.",
    ]
    assert "[" not in words(response) + shown
    once, _, _ = await lines(port, upstream_port, text, steering_handling="emit_once")
    assert [one["input"] for one in once] == [
        "[say warmly] Welcome back my friend.",
        "[laugh] It is nice to see you.",
    ]


async def test_an_answer_may_be_spoken_in_one_go_and_wishes_are_passed_on(port, upstream_port):
    asked, response, _ = await lines(
        port,
        upstream_port,
        "one two three, four five. Six seven. Eight.",
        segmenter_strategy="full_turn",
        delivery_mode="STABLE",
        speaking_rate=1.25,
        conversational=True,
    )
    [one] = asked
    assert one["input"] == words(response).split("  ")[0] or one["input"] in words(response)
    assert (one["delivery_mode"], one["speed"]) == ("STABLE", 1.25)
    assert "conversational" not in one
    started_fast, _, _ = await lines(port, upstream_port, "Well, one two three.", segmenter_strategy="fast_start")
    assert [one["input"] for one in started_fast] == ["Well,", "one two three."]


async def test_a_wrong_knob_is_refused_whole(port):
    async with connected(port, INWORLD, microphone=False) as client:
        await client.send(
            "session.update", session={"instructions": "x", "providerData": {"stt": {"vad_threshold": "a"}}}
        )
        error = (await client.until("error"))["error"]
        session = (await updated(client, temperature=0.5))["session"]
    assert (error["code"], error["param"]) == ("invalid_type", "session.providerData.stt.vad_threshold")
    assert session["instructions"] != "x"


async def test_the_knobs_of_detection_change_in_the_middle_of_a_session(port, caller):
    voiced = caller("what is the time")
    async with connected(port, INWORLD) as client:
        turns = {"type": "server_vad", "silence_duration_ms": 1500, "create_response": False}
        await updated(
            client, audio={"input": {"turn_detection": turns}}, providerData={"stt": {"voice_profile": False}}
        )
        client.say(voiced)
        heard = await client.until(HEARD)
        slow = client.of("input_audio_buffer.speech_stopped")[-1]
        slow_s = client.when(slow) - client.said_at
        await updated(client, providerData={"stt": {"min_end_of_turn_silence": 300, "voice_profile": True}})
        client.say(voiced)
        quick = await client.until("input_audio_buffer.speech_stopped")
        quick_s = client.when(quick) - client.said_at
        told = await client.until(HEARD)
        deaf = {"stt": {"vad_threshold": 1.0}}
        await updated(client, providerData=deaf)
        client.mark()
        client.say(voiced)
        await asyncio.sleep(2)
        started = "input_audio_buffer.speech_started" in client.kinds()[client._mark :]
    assert slow_s - quick_s > 0.8
    assert "providerData" not in heard
    assert told["providerData"]["voiceProfile"]["pitch_hz"] > 0, json.dumps(told)
    assert not started


async def test_word_times_come_with_the_sound_when_they_are_wanted(port):
    async with connected(port, INWORLD, microphone=False) as client:
        await updated(client, providerData={"tts": {"timestamp_type": "WORD"}})
        await asked_to_say(client, "one two three")
        told = [
            event["providerData"]["timestampInfo"]["wordAlignment"]
            for event in client.of("response.output_audio.delta")
            if "providerData" in event
        ]
    spoken = [word.strip(".,").lower() for one in told for word in one["words"]]
    starts = [at for one in told for at in one["wordStartTimeSeconds"]]
    ends = [at for one in told for at in one["wordEndTimeSeconds"]]
    assert spoken == ["one", "two", "three"]
    assert starts == sorted(starts)
    assert all(start < end for start, end in zip(starts, ends, strict=True))
    assert starts[1] >= ends[0] - 0.001


async def test_first_audio_is_counted_for_its_route_and_turns_by_how_they_ended(port, caller):
    async with connected(port) as client, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        client.say(caller("count to twenty"))
        await client.until("response.output_audio.delta")
        client.say(caller("no stop please"))
        await client.done()
        await client.done()
        text = (await http.get("/metrics")).text
    counted = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(counted['rr_time_to_first_audio_seconds_count{route="voice/default",variant="a"}']) >= 2
    assert float(counted['rr_voice_turns_total{outcome="interrupted"}']) >= 1
    assert float(counted['rr_voice_turns_total{outcome="answered"}']) >= 1
    assert counted['rr_voice_turns_total{outcome="failed"}'] == "0.0"
