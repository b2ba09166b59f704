"""Speaking over OpenAI's HTTP: what is sent, what is passed on, and every way it fails."""

import asyncio
import json

import pytest

from policies import Outcome, Timeouts
from realtime.audio.wav import wav_bytes
from realtime.speech.openai_http import HttpSpeechSettings
from realtime.speech.openai_speaking import HttpSpeaker
from realtime.stages.base import Line
from router.upstreams.base import UpstreamFault

from .openai_server import LOUD, TARGET, Server, audio, fails, form_of, heard, json_answer, spoken


async def test_speech_is_passed_on_as_it_arrives_whatever_the_chunks():
    server = Server(audio(LOUD[:101], LOUD[101:303], LOUD[303:]))
    line = Line("Hello.", voice="marin", speed=1.2, instructions="kindly")
    pieces = await spoken(server, line)
    assert b"".join(piece.pcm for piece in pieces) == LOUD
    assert len(pieces) == 3
    assert {piece.sample_rate for piece in pieces} == {24_000}
    assert json.loads(server.calls[0].body) == {
        "model": "ears-1", "input": "Hello.", "voice": "marin", "response_format": "pcm", "speed": 1.2,
        "instructions": "kindly",
    }  # fmt: skip


async def test_a_wav_is_taken_for_what_it_is_though_pcm_was_asked_for():
    pieces = await spoken(Server(audio(wav_bytes(LOUD, 22_050)[:20], wav_bytes(LOUD, 22_050)[20:])))
    assert (pieces[0].sample_rate, b"".join(piece.pcm for piece in pieces)) == (22_050, LOUD)


async def test_the_rate_is_a_setting_and_leading_silence_is_cut():
    quiet = bytes(16_000)
    pieces = await spoken(
        Server(audio(quiet[:8000], quiet[8000:] + LOUD)), settings=HttpSpeechSettings(speech_rate=32_000)
    )
    assert pieces[0].sample_rate == 32_000
    assert b"".join(piece.pcm for piece in pieces) == bytes(2 * 640) + LOUD


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (json_answer({"error": {"message": "no such voice"}}, 400), Outcome.BAD_REQUEST),
        (audio(), Outcome.EMPTY_RESPONSE),
        (json_answer({"audio": "?"}), Outcome.MALFORMED_RESPONSE),
        (audio(LOUD, fault=UpstreamFault(Outcome.TRUNCATED, "cut")), Outcome.TRUNCATED),
    ],
)
async def test_failures_of_speaking_are_faults_of_their_class(answer, outcome):
    assert await fails(spoken, answer) is outcome


async def test_a_rate_told_in_the_content_type_is_believed():
    assert (await spoken(Server(audio(LOUD, content_type="audio/pcm;rate=16000"))))[0].sample_rate == 16_000


async def test_a_handful_of_bytes_is_still_sound():
    assert [piece.pcm for piece in await spoken(Server(audio(b"\1\0\2\0\3")))] == [b"\1\0\2\0"]


async def test_closing_the_iterator_closes_the_connection():
    server = Server(audio(LOUD, LOUD, LOUD))
    pieces = HttpSpeaker(server, TARGET, Timeouts()).speak(Line("Hello."))
    await anext(pieces)
    await pieces.aclose()
    assert server.replies[0].closed
    await asyncio.sleep(0)


async def test_wishes_that_a_server_declares_are_passed_on_and_no_others():
    settings = HttpSpeechSettings(extras=("delivery_mode", "hotwords", "language"))
    wishes = {"delivery_mode": "STABLE", "hotwords": ["Ana"], "temperature": 1.1}
    server = Server(audio(LOUD), json_answer({"text": "hello"}))
    await spoken(server, Line("Hello.", language="de", extras=wishes), settings)
    await heard(server, settings=settings, extras=wishes)
    said, form = server.calls[0].document, form_of(server.calls[1])
    assert (said["delivery_mode"], said["language"]) == ("STABLE", "de")
    assert form["hotwords"] == b'["Ana"]'
    assert "temperature" not in said
    assert b"temperature" not in server.calls[1].body


@pytest.mark.parametrize(("patterns", "steers"), [((), False), (("ears-*",), True), (("other",), False)])
def test_a_speech_model_follows_steering_tags_where_that_is_declared(patterns, steers):
    assert HttpSpeaker(Server(), TARGET, Timeouts(), HttpSpeechSettings(steering=patterns)).steers is steers
