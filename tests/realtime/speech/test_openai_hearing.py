"""Hearing over OpenAI's HTTP: what is sent, what is understood, and every way it fails."""

import pytest

from policies import Outcome, Timeouts
from realtime.audio.wav import read_wav
from realtime.protocol import TranscriptionUsage
from realtime.speech.openai_hearing import HttpTranscriber
from realtime.speech.openai_http import HttpSpeechSettings
from realtime.stages.base import Utterance
from router.upstreams.base import UpstreamFault

from .openai_server import LOUD, TARGET, Server, fails, form_of, heard, json_answer


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
    assert await fails(heard, answer) is outcome


async def test_an_utterance_without_end_is_refused():
    hearing = await HttpTranscriber(Server(), TARGET, Timeouts()).open(Utterance())
    hearing.feed(bytes(10 * 60 * 32_000))
    with pytest.raises(UpstreamFault) as fault:
        hearing.feed(b"\0\0")
    assert fault.value.outcome is Outcome.OVERLOADED
