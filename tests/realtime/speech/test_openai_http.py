"""Speech over OpenAI's HTTP: what is sent, what is understood, and every way it fails."""

import asyncio
import email
import json

import numpy as np
import pytest

from policies import Outcome, Target, Timeouts
from realtime.audio.wav import read_wav, wav_bytes
from realtime.protocol import TranscriptionUsage
from realtime.speech.openai_http import HttpSpeaker, HttpSpeechSettings, HttpTranscriber
from realtime.stages.base import Line, Utterance
from router.upstreams.base import UpstreamFault
from router.upstreams.inprocess import Clock, Piece, ScheduledReply

TARGET = Target("acme", "ears-1")
LOUD = np.full(2400, 8000, dtype="<i2").tobytes()


class Server:
    """An upstream that answers each call with the next reply and remembers the calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []
        self.replies = []

    async def send(self, call):
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, UpstreamFault):
            raise answer
        status, headers, chunks, *fault = answer
        reply = ScheduledReply(
            status, headers, [Piece(0, chunk) for chunk in chunks], clock=Clock(), fault=fault[0] if fault else None
        )
        # One chunk a read, as a slow network would give them.
        reply._due = lambda reply=reply: (reply._pieces[reply._next].content, setattr(reply, "_next", reply._next + 1))[
            0
        ]
        self.replies.append(reply)
        return reply

    async def aclose(self):
        pass


def json_answer(document, status=200):
    return status, {"content-type": "application/json"}, [json.dumps(document).encode()]


def audio(*chunks, fault=None, content_type="audio/pcm"):
    return 200, {"content-type": content_type}, list(chunks), fault


def form_of(call):
    message = email.message_from_bytes(b"Content-Type: " + call.content_type.encode() + b"\r\n\r\n" + call.body)
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.get_payload()
    }


async def heard(server, pcm=LOUD, settings=None, **utterance):
    hearing = await HttpTranscriber(server, TARGET, Timeouts(), settings).open(Utterance(**utterance))
    hearing.feed(pcm)
    return await hearing.finish()


async def spoken(server, line=Line("Hello."), settings=None):  # noqa: B008  a frozen value
    speaker = HttpSpeaker(server, TARGET, Timeouts(), settings)
    return [piece async for piece in speaker.speak(line)]


async def test_the_utterance_goes_up_as_a_wav_with_model_language_and_prompt():
    server = Server(json_answer({"text": " hello there "}))
    transcript = await heard(server, language="en", prompt="a train", keyterms=("London",), credential="theirs")
    call = server.calls[0]
    form = form_of(call)
    assert (call.path, call.credential) == ("/audio/transcriptions", "theirs")
    assert (form["model"], form["language"], form["prompt"]) == (b"ears-1", b"en", b"a train, London")
    samples, rate = read_wav(form["file"])
    assert (rate, samples.tobytes()) == (16_000, LOUD)
    assert (transcript.text, transcript.audio_s) == ("hello there", 0.15)
    assert server.replies[0].closed


async def test_word_times_are_read_where_a_server_tells_them():
    words = [{"word": "hello", "start": 0.1, "end": 0.4}, {"word": "there", "start": 0.5, "end": 0.9}, {"word": 3}, "x"]
    server = Server(json_answer({"text": "hello, there", "words": words, "language": "english"}))
    transcript = await heard(server, settings=HttpSpeechSettings(word_times=True))
    assert form_of(server.calls[0])["response_format"] == b"verbose_json"
    assert [(w.text, w.start_ms, w.first, w.last) for w in transcript.words] == [
        ("hello", 100, 0, 5),
        ("there", 500, 7, 12),
    ]
    assert transcript.language == "english"


async def test_what_a_server_counts_and_how_sure_it_is_are_kept():
    usage = {"type": "tokens", "input_token_details": {"audio_tokens": 14, "text_tokens": 1}, "output_tokens": 5}
    sure = [{"token": "h", "logprob": -0.5}, {"token": "i", "logprob": -1, "bytes": [105]}, {"token": "?"}, "x"]
    server = Server(json_answer({"text": "hi", "usage": usage, "logprobs": sure}))
    transcript = await heard(server, logprobs=True)
    assert form_of(server.calls[0])["include[]"] == b"logprobs"
    assert transcript.usage == TranscriptionUsage(0.15, input_audio_tokens=14, input_text_tokens=1, output_tokens=5)
    assert transcript.logprobs == (
        {"token": "h", "logprob": -0.5, "bytes": [104]},
        {"token": "i", "logprob": -1, "bytes": [105]},
    )


@pytest.mark.parametrize("odd", [5, [], {"type": "duration", "seconds": 2}, {"input_token_details": 3}])
async def test_what_a_server_counts_in_seconds_or_oddly_is_counted_by_us(odd):
    server = Server(json_answer({"text": "hi", "usage": odd, "logprobs": odd or None}))
    transcript = await heard(server)
    assert (transcript.usage, transcript.logprobs) == (None, None)
    assert "include[]" not in form_of(server.calls[0])


async def test_a_peek_is_not_uploaded_again_when_nothing_follows_and_is_when_something_does():
    server = Server(json_answer({"text": "one"}), json_answer({"text": "one two"}))
    hearing = await HttpTranscriber(server, TARGET, Timeouts()).open(Utterance())
    hearing.feed(LOUD)
    assert (await hearing.peek()).text == "one"
    assert (await hearing.peek()).text == "one"
    assert len(server.calls) == 1
    hearing.feed(LOUD)
    assert (await hearing.finish()).text == "one two"
    hearing.close()


async def test_a_tiny_utterance_is_padded_to_what_providers_accept():
    server = Server(json_answer({"text": ""}))
    await heard(server, pcm=b"\1\0")
    assert len(read_wav(form_of(server.calls[0])["file"])[0]) == 1600


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (json_answer({"error": {"message": "slow down"}}, 429), Outcome.RATE_LIMITED),
        (json_answer({"error": {"message": "no"}}, 401), Outcome.UPSTREAM_AUTH),
        ((500, {}, [b"<html>"]), Outcome.HTTP_5XX),
        ((200, {}, [b"not json"]), Outcome.MALFORMED_RESPONSE),
        (json_answer({"no": "text"}), Outcome.MALFORMED_RESPONSE),
        (json_answer([]), Outcome.MALFORMED_RESPONSE),
        (UpstreamFault(Outcome.CONNECT_REFUSED, "refused"), Outcome.CONNECT_REFUSED),
    ],
)
async def test_failures_of_hearing_are_faults_of_their_class(answer, outcome):
    server = Server(answer)
    with pytest.raises(UpstreamFault) as fault:
        await heard(server)
    assert fault.value.outcome is outcome
    assert all(reply.closed for reply in server.replies)


async def test_an_utterance_without_end_is_refused():
    hearing = await HttpTranscriber(Server(), TARGET, Timeouts()).open(Utterance())
    hearing.feed(bytes(10 * 60 * 32_000))
    with pytest.raises(UpstreamFault) as fault:
        hearing.feed(b"\0\0")
    assert fault.value.outcome is Outcome.OVERLOADED


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
    server = Server(answer)
    with pytest.raises(UpstreamFault) as fault:
        await spoken(server)
    assert fault.value.outcome is outcome
    assert all(reply.closed for reply in server.replies)


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
