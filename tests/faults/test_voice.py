"""Rows of the fault matrix that a voice session meets: dead ears, models and voices, rude clients, the end."""

import asyncio
import base64
import contextlib
import itertools
import json
import signal
import socket
import time

import pytest
import websockets

from tests.realtime.conftest import caller  # noqa: F401 - a fixture
from tests.realtime.voice_rig import grammar, resampled, words
from tests.security.test_frames import BROKEN, CONT, TEXT, Wire, frame

from . import figures
from .invariants import WORDS
from .matrix import row
from .raw import dial
from .street import KEY
from .voice import BYTES_PER_WORD, VoiceStreet, asked, attempts_of

HEARD = "conversation.item.input_audio_transcription.completed"
BY_HAND = {"turn_detection": None}
PADDING_MS, FRAMES_MS = 300, 3 * 32  # before the first speech frame; frames that make speech


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with VoiceStreet(grammar(tmp_path_factory.mktemp("voice"))) as street:
        Wire(street).bye()
        yield street


@pytest.mark.parametrize("code", [1008, 1011])
async def test_61_a_session_whose_upstream_dies_and_nobody_is_left_is_closed_at_once(street, code):
    before = street.total("rr_voice_attempts_total", stage="realtime", outcome="success")
    async with street.relayed(f"lost-{code}") as client:
        await asked(client)
        failed = await client.until("response.done")
        closed = await client.over()
    assert failed["response"]["status"] == "failed"
    outcomes = [one["outcome"] for one in attempts_of(failed["response"])]
    assert outcomes == ["in_band_error" if code == 1008 else "http_5xx"]
    assert [event["error"]["code"] for event in client.of("error")][1:] == ["upstream_overloaded"]
    assert closed["code"] == 1013
    took_s = client.when(closed) - street.spoken.died_s
    figures.keep(row(61, "nobody is left"), took_s * 1000, "ms until the client is told")
    assert took_s < 1, "far beyond its figure"
    [told] = [one for one in street.requests() if one["decision"]["router"] == f"lost-{code}"]
    assert not any(attempt["success"] for attempt in told["metadata"]["attempts"])
    assert told["outcome"] != "success"
    assert street.total("rr_voice_attempts_total", stage="realtime", outcome="success") == before


async def test_61_a_realtime_upstream_that_refuses_is_one_error_and_a_close_code(street):
    began_s = time.monotonic()
    async with street.relayed("refusing", opens=False) as client:
        closed = await client.over()
    assert client.kinds() == ["error", "closed"]
    assert closed["code"] == 1011
    figures.keep(row(61, "nobody is left"), (time.monotonic() - began_s) * 1000, "ms until the client is told")


@pytest.mark.parametrize("code", [1008, 1011])
async def test_61_a_session_whose_upstream_dies_goes_on_at_another(street, code):
    async with street.relayed(f"moved-{code}") as client:
        await asked(client)
        failed = await client.until("response.done")
        while (told := await client.until("error"))["error"]["code"] != "upstream_changed":
            pass
        await asked(client)
        whole = await client.done()
    assert failed["response"]["status"] == "failed"
    assert whole["status"] == "completed"
    assert [one["success"] for one in attempts_of(whole)] == [False, True]
    assert {one["stage"] for one in attempts_of(whole)} == {"realtime"}
    took_s = client.when(told) - street.spoken.died_s
    figures.keep(row(61, "another is there"), took_s * 1000, "ms until the session goes on")
    assert took_s < 1


async def test_61_a_reply_that_nobody_can_give_fails_and_the_session_lives(street):
    async with street.session("east/503@r61") as client:
        asked_s = await asked(client)
        failed = await client.until("response.done")
        took_s = client.when(failed) - asked_s
        await client.send("session.update", session={"type": "realtime", "model": "east/ok@r61"})
        await asked(client)
        whole = await client.done()
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["status_details"]["error"]["code"]
    assert (whole["status"], words(whole).split()) == ("completed", WORDS)
    figures.keep(row(61, "nobody can give"), took_s * 1000, "ms until it is said")


@pytest.mark.parametrize(("number", "router", "limit_s"), [(62, "dying", 1.5), (65, "stalling", 5)])
async def test_62_65_a_model_that_dies_or_stalls_before_its_first_word_is_replaced(street, number, router, limit_s):
    async with street.session(f"router/{router}") as client:
        asked_s = await asked(client)
        first = await client.until("response.output_audio.delta")
        silence_s = client.when(first) - asked_s
        response = await client.done()
    assert (response["status"], words(response).split()) == ("completed", WORDS)
    assert [one["success"] for one in attempts_of(response, "llm")] == [False, True]
    assert len(client.audio()) == len(WORDS) * BYTES_PER_WORD
    figures.keep(row(number), silence_s * 1000, "ms until the first sound")
    assert silence_s < limit_s


async def test_63_ears_that_die_in_an_utterance_lose_no_word(street, caller):  # noqa: F811 - the fixture
    audio = {**BY_HAND, "transcription": {"model": "router/ears"}}
    async with street.session("east/ok@r63", input=audio) as client:
        samples = resampled(caller("what is the weather in paris"), 16_000, 24_000)
        for start in range(0, len(samples), 4800):
            piece = samples[start : start + 4800].astype("<i2").tobytes()
            await client.send("input_audio_buffer.append", audio=base64.b64encode(piece).decode())
        await client.send("input_audio_buffer.commit")
        sent_s = time.monotonic()
        heard = await client.until(HEARD, within_s=30)
        took_s = client.when(heard) - sent_s
        await client.send("response.create")
        response = await client.done()
    assert heard["transcript"].strip() == "what is the weather in paris"
    stt = [(one["model"], one["success"]) for one in attempts_of(response, "stt")]
    assert stt == [("scripted/dies-while-fed", False), ("local/pocketsphinx", True)]
    figures.keep(row(63), took_s * 1000, "ms until the words, none lost")


async def test_64_a_voice_that_dies_in_a_sentence_is_continued_by_another(street):
    async with street.session("east/ok@r64", output={"model": "router/voices"}) as client:
        await asked(client)
        response = await client.done(within_s=20)
    assert (response["status"], words(response).split()) == ("completed", WORDS)
    assert len(client.audio()) == len(WORDS) * BYTES_PER_WORD, "a word was lost or said twice"
    tts = attempts_of(response, "tts")
    assert [one["success"] for one in tts[:2]] == [False, True]
    times = [client.when(event) for event in client.of("response.output_audio.delta")]
    gap_s = max(after - before for before, after in itertools.pairwise(times))
    figures.keep(row(64), gap_s * 1000, "ms, the longest gap between two sounds")
    assert gap_s < 1


async def test_66_speech_stops_the_reply_and_its_provider(street, caller):  # noqa: F811 - the fixture
    async with street.session("east/slow-stream@r66", microphone=True) as client:
        await asked(client)
        first = await client.until("response.output_audio.delta")
        await asyncio.sleep(0.3)
        client.say(caller("no stop please"))
        started = await client.until("input_audio_buffer.speech_started")
        done = await client.until("response.done")
        decided_ms = started["audio_start_ms"] + PADDING_MS + FRAMES_MS - client.spoken_from_ms  # of what was said
        stopped_ms = decided_ms + (client.when(done) - client.when(started)) * 1000
        street.until(lambda: street.journal("r66")[0].ended is not None)
        await client.send("conversation.item.truncate", item_id=first["item_id"], content_index=0, audio_end_ms=300)
        cut = await client.until("conversation.item.truncated")
        sounds = [client.when(event) for event in client.of("response.output_audio.delta")
                  if event["response_id"] == first["response_id"]]  # fmt: skip
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["status_details"]["reason"] == "turn_detected"
    assert cut["audio_end_ms"] == 300
    assert max(sounds) <= client.when(done)
    figures.keep(row(66), stopped_ms, "ms from the first sound of speech")
    assert stopped_ms < 250


GARBAGE = {
    "no base64": "***",
    "odd bytes": base64.b64encode(b"abc").decode(),
    "15 MiB and a byte": base64.b64encode(bytes(15 * 1024 * 1024 + 1)).decode(),
}


async def test_67_garbage_is_an_error_with_its_event_and_the_session_lives(street):
    async with street.session("east/ok@r67", input=BY_HAND) as client:
        for name, audio in GARBAGE.items():
            client.mark()
            await client.send("input_audio_buffer.append", audio=audio, event_id=name)
            if name != "odd bytes":  # half a sample waits for its other half
                error = (await client.until("error"))["error"]
                assert error["event_id"] == name
        sent_s = time.monotonic()
        await asked(client)
        first = await client.until("response.created")
        response = await client.done()
    assert response["status"] == "completed"
    figures.keep(row(67), (client.when(first) - sent_s) * 1000, "ms until the session answers as ever")


def test_68_frames_that_break_the_protocol_are_refused_with_their_code(street):
    codes = {}
    for name, raw in BROKEN.items():
        wire = Wire(street)
        wire.send(raw)
        codes[name] = wire.closed_with()
        wire.bye()
    street.witness.sockets(codes.values())
    wrong = [name for name, code in codes.items() if code != 1002]
    assert wrong == []
    street.until(lambda: street.total("rr_ws_sessions") == 0, 3)
    figures.keep(row(68), len(wrong), f"of {len(codes)} wrong")


def test_69_a_hundred_thousand_fragments_are_refused(street):
    before_bytes = street.resident_bytes()
    wire = Wire(street, extra="sec-websocket-extensions: permessage-deflate\r\n")
    assert b"permessage-deflate" not in wire.head.lower()
    wire.send(frame(TEXT, b"x", fin=False) + frame(CONT, b"x", fin=False) * 100_000)
    code = wire.closed_with()
    street.witness.sockets([code])
    assert code in (1009, "gone")
    wire.bye()
    grown_mib = (street.resident_bytes() - before_bytes) / 2**20
    figures.keep(row(69), grown_mib, "MiB more")
    assert grown_mib < 32


@contextlib.asynccontextmanager
async def deaf(street):
    """A client that asks for five replies and reads nothing."""
    async with websockets.connect(
        f"ws://127.0.0.1:{street.port}/v1/realtime?model=east/ok",
        additional_headers={"authorization": f"Bearer {KEY}"},
        compression=None,
        max_queue=1,
        max_size=None,
        close_timeout=0.1,
    ) as client:
        client.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(5):
            await client.send(json.dumps({"type": "response.create", "response": {"conversation": "none"}}))
        yield
    street.witness.sockets(["by a client that never read"])


async def test_70_clients_that_do_not_read_cost_little_and_hurt_nobody(street):
    async with contextlib.AsyncExitStack() as stack:
        other = await stack.enter_async_context(street.session("east/ok@r70"))
        async with deaf(street):  # what the first of all loads is nobody's cost
            await asyncio.sleep(1)
        before_bytes = street.resident_bytes()
        for _ in range(10):
            await stack.enter_async_context(deaf(street))
        await asyncio.sleep(1)
        asked_s = await asked(other)
        first = await other.until("response.output_audio.delta")
        beside_s = other.when(first) - asked_s
        assert (await other.done())["status"] == "completed"
        grown_mib = (street.resident_bytes() - before_bytes) / 2**20 / 10
    street.until(lambda: street.total("rr_ws_sessions") == 0, 5)
    figures.keep(row(70), grown_mib, "MiB more a session")
    assert beside_s < 2
    assert grown_mib < 2


def test_71_strangers_are_refused_before_the_upgrade(street):
    calls, began_s = len(street.server.journal.seen), time.monotonic()
    doors = {
        "a foreign page's cookie": f"cookie: authorization=Bearer {KEY}\r\norigin: https://evil.example\r\n",
        "no key": "",
        "a wrong key": "authorization: Bearer sk-wrong-key-000000\r\n",
        "a wrong key as a protocol": "sec-websocket-protocol: realtime, openai-insecure-api-key.sk-wrong-000000\r\n",
    }
    refused = {}
    for name, lines in doors.items():
        with dial(street) as sock:
            sock.sendall(
                "GET /api/v1/realtime/session?key=x&protocol=realtime HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n"
                f"connection: upgrade\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n"
                f"{lines}\r\n".encode()
            )
            refused[name] = int(sock.recv(4096).split()[1])
    assert set(refused.values()) <= {401, 403}, refused
    assert len(street.server.journal.seen) == calls
    assert street.total("rr_ws_sessions") == 0
    figures.keep(row(71), (time.monotonic() - began_s) / len(doors) * 1000, "ms a refusal")


async def test_72_a_server_that_ends_cuts_none_of_twenty_calls(tmp_path):
    with VoiceStreet(grammar(tmp_path)) as street:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(street.session("east/slow-stream@r72")) for _ in range(20)]
            for client in clients:
                await asked(client)
            for client in clients:
                await client.until("response.created")
            street.process.send_signal(signal.SIGTERM)
            responses = [await client.done(within_s=30) for client in clients]
            async with asyncio.timeout(30):
                while any(client.events[-1]["type"] != "closed" for client in clients):
                    await asyncio.sleep(0.05)
        cut = [response["status"] for response in responses if words(response).split() != WORDS]
        assert cut == []
        assert {client.events[-1]["code"] for client in clients} == {1001}
        assert await asyncio.to_thread(street.process.wait, 10) == 0
        figures.keep(row(72), len(cut), "of 20 calls cut")
