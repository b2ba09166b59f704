"""Several utterances in one append, far faster than they sound: each turn has its own words, places and sound."""

import asyncio
import base64

import numpy as np
import pytest

from realtime.audio.g711 import encode_ulaw

from .voice_rig import connected, grammar, resampled, running, trimmed

SERVER = """
version: 1
records: {url: null}
providers: {demo: {kind: demo}}
routers: [routers]
realtime:
  model: router/voice
  transcription: {grammar: sentences.jsgf}
"""
ROUTERS = {"voice": "router: voice\ndefault: {id: default, variants: [{id: a, weight: 100, model: demo/fast}]}\n"}
HEARD = "conversation.item.input_audio_transcription.completed"
SAID = ("what is the weather in paris", "my name is john", "count to five")
LEAD_S = 1.0


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with running(grammar(tmp_path_factory.mktemp("bursts")), SERVER, ROUTERS) as port:
        yield port


def file_of(caller, rate, gap_s):
    """One recording of all sentences, and where each stands in it, in ms."""
    noise = np.random.default_rng(1)

    def quiet(seconds):
        return noise.normal(0, 6, int(rate * seconds)).astype(np.int16)

    parts, places = [quiet(LEAD_S)], []
    for sentence in SAID:
        begin = sum(map(len, parts))
        parts.append(resampled(trimmed(caller(sentence)), 16_000, rate))
        places.append((begin * 1000 / rate, sum(map(len, parts)) * 1000 / rate))
        parts.append(quiet(gap_s))
    return np.concatenate([*parts, quiet(1.5)]), places


async def turns_of(port, sound, detection, form=None):
    """Send it in one event; each turn as (words, start, end, sound of the item)."""
    audio_input = {
        "format": form or {"type": "audio/pcm", "rate": 24_000},
        "transcription": {"model": "whisper-1"},
        "turn_detection": {**detection, "create_response": False},
    }
    async with connected(port, microphone=False) as client:
        await client.send("session.update", session={"type": "realtime", "audio": {"input": audio_input}})
        await client.until("session.updated")
        await client.send("input_audio_buffer.append", audio=base64.b64encode(sound).decode())
        for _ in SAID:
            await client.until(HEARD)
        found = {event["item_id"]: event["transcript"].strip() for event in client.of(HEARD)}
        started = client.of("input_audio_buffer.speech_started")
        stopped = client.of("input_audio_buffer.speech_stopped")
        rows = []
        for begin, end in zip(started, stopped, strict=True):
            assert begin["item_id"] == end["item_id"]
            await client.send("conversation.item.retrieve", item_id=begin["item_id"])
            [part] = (await client.until("conversation.item.retrieved"))["item"]["content"]
            audio = base64.b64decode(part["audio"])
            rows.append((found[begin["item_id"]], begin["audio_start_ms"], end["audio_end_ms"], audio))
        return rows


@pytest.mark.parametrize(
    "detection",
    [
        {"type": "server_vad", "silence_duration_ms": 500},
        {"type": "semantic_vad", "eagerness": "high"},
        {"type": "semantic_vad", "eagerness": "low"},
    ],
    ids=["server", "semantic-high", "semantic-low"],
)
@pytest.mark.parametrize("gap_s", [0.9, 2.0])
async def test_each_turn_of_a_burst_is_itself(port, caller, detection, gap_s):
    sound, places = file_of(caller, 24_000, gap_s)
    rows = await turns_of(port, sound.astype("<i2").tobytes(), detection)
    assert [row[0] for row in rows] == list(SAID)
    before_ms = 0
    for (_, start_ms, end_ms, audio), (begin_ms, ended_ms) in zip(rows, places, strict=True):
        assert max(before_ms, begin_ms - 400) <= start_ms <= begin_ms + 60
        assert ended_ms < end_ms <= ended_ms + gap_s * 1000
        assert len(audio) / 48 == pytest.approx(end_ms - start_ms, abs=40)
        heard = np.frombuffer(audio, dtype="<i2").astype(float)
        meant = sound[round(start_ms * 24) :][: len(heard)].astype(float)
        assert np.corrcoef(heard, meant)[0, 1] > 0.9  # the detector hears at 16 kHz
        before_ms = end_ms


async def test_telephone_sound_comes_back_in_its_format(port, caller):
    sound, _ = file_of(caller, 8_000, 1.0)
    rows = await turns_of(port, encode_ulaw(sound), {"type": "server_vad"}, {"type": "audio/pcmu"})
    assert [len(audio) / 8 for _, _, _, audio in rows] == [
        pytest.approx(end_ms - start_ms, abs=40) for _, start_ms, end_ms, _ in rows
    ]


async def test_a_spoken_reply_comes_back_as_it_was_sent_cut_where_it_was_truncated_and_gone_when_deleted(port):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say one two three four"}]}
    async with connected(port, microphone=False) as client:
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        response = await client.done()
        item_id = response["output"][0]["id"]
        await client.send("conversation.item.retrieve", item_id=item_id)
        whole = await client.until("conversation.item.retrieved")
        await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=300)
        await client.send("conversation.item.retrieve", item_id=item_id)
        cut = await client.until("conversation.item.retrieved")
        await client.send("conversation.item.delete", item_id=item_id)
        await client.send("conversation.item.retrieve", item_id=item_id)
        error = await client.until("error")
    assert base64.b64decode(whole["item"]["content"][0]["audio"]) == client.audio()
    assert base64.b64decode(cut["item"]["content"][0]["audio"]) == client.audio()[: 300 * 48]
    assert error["error"]["code"] == "item_retrieve_invalid_item_id"


async def test_recordings_of_a_client_come_back_too(port, caller):
    sound = resampled(trimmed(caller(SAID[1])), 16_000, 24_000).astype("<i2").tobytes()
    part = {"type": "input_audio", "audio": base64.b64encode(sound).decode()}
    async with connected(port, microphone=False) as client:
        await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        item_id = (await client.until("conversation.item.added"))["item"]["id"]
        await asyncio.sleep(0.5)
        await client.send("conversation.item.retrieve", item_id=item_id)
        got = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
    assert len(base64.b64decode(got["audio"])) == pytest.approx(len(sound), abs=480)


async def test_replies_beside_the_conversation_push_no_sound_out(port):
    """Nobody can retrieve theirs."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say one two"}]}
    long = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "say " + "a long word " * 15}],
    }
    async with connected(port, microphone=False) as client:
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        kept = (await client.done())["output"][0]["id"]
        before_bytes = len(client.audio())
        await client.send("response.create", response={"conversation": "none", "input": [long]})
        await client.done()
        assert len(client.audio()) - before_bytes > 256 * 1024
        await client.send("conversation.item.retrieve", item_id=kept)
        got = (await client.until("conversation.item.retrieved"))["item"]["content"][0]
    assert base64.b64decode(got["audio"]) == client.audio()[:before_bytes]
