"""Speech and transcription over the proxy's own provider, offline, with real voices and ears."""

import base64
import json

import numpy as np
import pytest

from policies import Outcome, Target, Timeouts
from realtime.audio.wav import read_wav, wav_bytes
from realtime.speech.catalogue import SpeechCatalogue
from realtime.speech.local_stt import SphinxSettings
from realtime.speech.local_tts import installed_voices
from realtime.speech.multipart import MalformedForm, form_parts
from realtime.speech.openai_hearing import HttpTranscriber, form_body
from realtime.speech.openai_speaking import HttpSpeaker
from realtime.speech.subtitles import srt
from realtime.stages.base import Line, Utterance, WordTime
from router.upstreams.base import Call, UpstreamFault

QUESTION = "can you tell me how long the train takes to london"


@pytest.fixture
async def catalogue():
    made = SpeechCatalogue(dict, sphinx=SphinxSettings(processes=1))
    yield made
    await made.aclose()


@pytest.fixture
def local(catalogue):
    return catalogue.local_upstream()


def speech_call(model="auto", **wish):
    document = {"model": model, "input": "Hello there. How are you?", **wish}
    return Call(
        Target("local", model),
        "/audio/speech",
        json.dumps(document).encode(),
        document,
        stream=True,
        timeouts=Timeouts(),
    )


def upload(wav, model="pocketsphinx", **fields):
    body, content_type = form_body({"model": model, **fields}, wav)
    return Call(
        Target("local", model),
        "/audio/transcriptions",
        body,
        None,
        stream=False,
        timeouts=Timeouts(),
        content_type=content_type,
    )


async def answer(local, call):
    reply = await local.send(call)
    body = await reply.body()
    reply.close()
    return reply.status, reply.headers["content-type"], body


async def test_speech_is_a_wav_unless_pcm_is_asked_for(local):
    status, kind, wav = await answer(local, speech_call())
    samples, rate = read_wav(wav)
    assert (status, kind, rate) == (200, "audio/wav", 24_000)
    assert len(samples) > 24_000
    status, kind, pcm = await answer(local, speech_call(response_format="pcm"))
    assert (status, kind) == (200, "audio/pcm;rate=24000")
    assert abs(len(pcm) // 2 - len(samples)) < 2400


async def test_pcm_comes_sentence_by_sentence(local):
    reply = await local.send(speech_call(response_format="pcm"))
    pieces = [await reply.read(), await reply.read(), await reply.read()]
    assert [bool(piece) for piece in pieces] == [True, True, False]


async def test_speech_as_events(local):
    _, kind, body = await answer(local, speech_call(response_format="pcm", stream_format="sse"))
    events = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line]
    assert kind.startswith("text/event-stream")
    assert [event["type"] for event in events] == ["speech.audio.delta"] * 2 + ["speech.audio.done"]
    assert len(base64.b64decode(events[0]["audio"])) > 10_000


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"response_format": "mp3"}, "response_format"),
        ({"input": ""}, "input"),
        ({"input": 5}, "input"),
        ({"input": "x" * 5000}, "input"),
        ({"speed": 9}, "speed"),
        ({"speed": "fast"}, "speed"),
    ],
)
async def test_what_cannot_be_spoken_is_refused_by_name(local, wish, param):
    status, _, body = await answer(local, speech_call(**wish))
    error = json.loads(body)["error"]
    assert (status, error["param"]) == (400, param)
    assert param in error["message"]


async def test_an_unknown_voice_model_is_a_404_and_a_foreign_voice_name_falls_back(local):
    status, _, body = await answer(local, speech_call("nobody"))
    assert (status, json.loads(body)["error"]["code"]) == (404, "model_not_found")
    assert (await answer(local, speech_call(voice="alloy")))[0] == 200
    assert (await answer(local, speech_call(voice={"id": installed_voices()[-1]})))[0] == 200


async def test_a_recording_is_transcribed_in_every_format(local, caller):
    wav = wav_bytes(caller().tobytes(), 16_000)
    status, _, body = await answer(local, upload(wav))
    assert (status, json.loads(body)["text"]) == (200, QUESTION)
    assert (await answer(local, upload(wav, response_format="text")))[2] == QUESTION.encode() + b"\n"
    verbose = json.loads((await answer(local, upload(wav, response_format="verbose_json")))[2])
    assert [word["word"] for word in verbose["words"]] == QUESTION.split()
    assert 0 <= verbose["words"][0]["start"] < verbose["words"][-1]["end"] <= verbose["duration"] + 0.1
    assert b"-->" in (await answer(local, upload(wav, response_format="srt")))[2]
    assert (await answer(local, upload(wav, response_format="vtt")))[2].startswith(b"WEBVTT")
    _, kind, events = await answer(local, upload(wav, stream="true"))
    assert kind.startswith("text/event-stream")
    assert json.loads(events.decode().split("\n\n")[-2][6:]) == {"type": "transcript.text.done", "text": QUESTION}


async def test_what_cannot_be_heard_is_refused_by_name(local):
    long = wav_bytes(bytes(2 * 8000 * 121), 8000)
    for call, param, code in (
        (upload(b"ID3 an mp3"), "file", "invalid_audio"),
        (upload(long), "file", "audio_too_long"),
        (upload(b"", response_format="xml"), "response_format", None),
    ):
        status, _, body = await answer(local, call)
        error = json.loads(body)["error"]
        assert (status, error["param"], error["code"]) == (400, param, code)
    broken = upload(b"")
    broken.body = b"no form"
    assert json.loads((await answer(local, broken))[2])["error"]["code"] == "invalid_form"
    status, _, _ = await answer(local, upload(wav_bytes(bytes(3200), 16_000), model="whisper"))
    assert status == 404
    other = speech_call()
    other.path = "/audio/translations"
    assert (await answer(local, other))[0] == 404, "so that a fallback is asked"


async def test_our_own_client_side_speaks_with_our_own_server_side(local):
    """The HTTP speaker and transcriber work over this upstream: one round trip from text to sound to text."""
    speaker = HttpSpeaker(local, Target("local", "rms"), Timeouts())
    pcm = b"".join([piece.pcm async for piece in speaker.speak(Line(QUESTION))])
    assert len(pcm) > 24_000
    hearing = await HttpTranscriber(local, Target("local", "pocketsphinx"), Timeouts()).open(Utterance())
    from realtime.audio.resample import resample

    hearing.feed(resample(np.frombuffer(pcm, dtype="<i2"), 24_000, 16_000).tobytes())
    assert (await hearing.finish()).text == QUESTION


async def test_the_catalogue_names_what_it_has(catalogue):
    assert catalogue.speaker(Target("scripted", "speaks"))
    assert catalogue.transcriber(Target("scripted", "hears"))
    assert catalogue.speaker(Target("local", "rms")) is catalogue.speaker(Target("local", "rms"))
    with pytest.raises(UpstreamFault, match="no such provider; there are local") as missing:
        catalogue.transcriber(Target("openai", "whisper-1"))
    assert missing.value.outcome is Outcome.MODEL_NOT_FOUND
    with pytest.raises(UpstreamFault, match="no such provider"):
        catalogue.speaker(Target("openai", "tts-1"))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"nothing"),
        ("multipart/form-data; boundary=x", b"--x\r\nno end"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nv'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n' * 70),
    ],
)
def test_a_broken_form_is_told_as_such(content_type, body):
    with pytest.raises(MalformedForm):
        form_parts(content_type, body)


def test_a_form_is_read_with_preamble_quoted_boundary_and_binary_content():
    content = bytes(range(256)) * 2
    body, content_type = form_body({"model": "m", "prompt": "ä"}, content)
    quoted = content_type.replace("boundary=", 'boundary="') + '"'
    parts = {part.name: part for part in form_parts(quoted, b"preamble\r\n" + body)}
    assert (parts["model"].text, parts["prompt"].text, parts["file"].content) == ("m", "ä", content)
    assert parts["file"].file


def test_subtitles_without_word_times_are_one_line():
    assert srt("hi there", [], 1.5) == "1\n00:00:00,000 --> 00:00:01,500\nhi there\n\n"
    assert srt("", [], 1) == ""
    assert "01:00:01,234 --> 01:00:02,000\na\n" in srt("a", [WordTime("a", 3_601_234, 3_602_000, 0, 1)], 1)
