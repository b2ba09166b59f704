"""Answers that are passed on as they come: what commits, what falls back, and how a break shows."""

import pytest

from policies import Limits, Outcome, RoutingTable, Target, Targets
from router import Caller, Parcel, Refusal, Router, State
from router.flow import CutShort
from router.sse import EventReader
from router.upstreams.base import UpstreamFault
from router.upstreams.demo import DemoUpstream
from router.upstreams.inprocess import Clock, Piece, ScheduledReply

from .house import QUICK, Heard, drained

EVENTS = {"content-type": "text/event-stream"}
AUDIO = {"content-type": "audio/wav"}
RESET = UpstreamFault(Outcome.RESET_BEFORE_COMMIT, "gone")


class Shelf:
    """An upstream whose models are answers: status, headers, pieces, and what comes at the end."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []
        self.replies = []
        self.delay_s = {}

    async def send(self, call):
        self.asked.append(call.target.model)
        status, headers, pieces, fault = self.answers[call.target.model]
        late_s = self.delay_s.get(call.target.model, 0.0)
        parts = [Piece(late_s + 0.01 * n, piece) for n, piece in enumerate(pieces)]
        reply = ScheduledReply(status, headers, parts, clock=Clock(), fault=fault)
        self.replies.append(reply)
        return reply

    async def aclose(self):
        pass


def flowing(**answers):
    shelf = Shelf(**answers)
    known = [Target("shelf", name) for name in answers]
    table = RoutingTable(Targets(("shelf", "demo"), known), limits=Limits(timeouts=QUICK))
    return Router(State(table, {"shelf": shelf, "demo": DemoUpstream()})), shelf


def parcel(first, *others, path="/audio/speech", **fields):
    document = {"model": f"shelf/{first}", "models": [f"shelf/{other}" for other in others], "input": "x", **fields}
    return Parcel(path, b"", document)


def failing(status=500):
    return status, {"content-type": "application/json"}, [b'{"error": {"message": "no"}}'], None


GOOD = (200, AUDIO, [b"RIFF", b"1234", b"5678"], None)


async def test_audio_comes_piece_by_piece_and_the_record_is_whole_at_the_end():
    router, _ = flowing(good=GOOD)
    flow = await router.flow(parcel("good"))
    assert (flow.serving, flow.content_type, flow.record.attempts) == ("shelf/good", "audio/wav", [])
    assert [await flow.read() for _ in range(4)] == [b"RIFF", b"1234", b"5678", b""]
    assert await flow.read() == b""
    (attempt,) = flow.record.attempts
    assert attempt.success
    assert attempt.committed
    assert (flow.record.kind, flow.record.streamed, flow.record.status) == ("audio", True, 200)
    flow.close()
    assert flow.record.status == 200


@pytest.mark.parametrize(
    ("bad", "outcome"),
    [
        (failing(), Outcome.HTTP_5XX),
        ((200, {"content-type": "text/html"}, [b"<html>"], None), Outcome.MALFORMED_RESPONSE),
        ((200, AUDIO, [], None), Outcome.EMPTY_RESPONSE),
        ((200, AUDIO, [], RESET), Outcome.RESET_BEFORE_COMMIT),
        ((200, EVENTS, [b": hello\n\n", b": again\n\n"], None), Outcome.EMPTY_RESPONSE),
        ((200, EVENTS, [b'data: {"error": {"message": "no"}}\n\n'], None), Outcome.IN_BAND_ERROR),
        ((200, EVENTS, [b"data: " + b"x" * (4 * 1024 * 1024 + 1)], None), Outcome.MALFORMED_RESPONSE),
        ((200, {"content-type": "application/json"}, [b'{"error": {"message": "no"}}'], None), Outcome.IN_BAND_ERROR),
    ],
)
async def test_before_the_first_bytes_the_next_target_answers(bad, outcome):
    router, shelf = flowing(bad=bad, good=GOOD)
    flow = await router.flow(parcel("bad", "good"))
    assert await drained(flow) == b"RIFF12345678"
    assert [attempt.outcome for attempt in flow.record.attempts] == [outcome, Outcome.SUCCESS]
    assert shelf.asked == ["bad", "good"]
    assert all(reply.closed for reply in shelf.replies)


@pytest.mark.parametrize("body", [b'{"text": "an \\"error\\" told"}', b'"error" {', b'{"error": null}'])
async def test_json_that_only_speaks_of_errors_passes(body):
    router, _ = flowing(odd=(200, {"content-type": "application/json"}, [body], None))
    assert await drained(await router.flow(parcel("odd"))) == body


async def test_silence_falls_back_after_the_first_token_limit():
    router, shelf = flowing(late=(200, AUDIO, [b"RIFF"], None), good=GOOD)
    shelf.delay_s["late"] = 5.0
    flow = await router.flow(parcel("late", "good"))
    assert await drained(flow) == b"RIFF12345678"
    assert flow.record.attempts[0].outcome is Outcome.FIRST_TOKEN_TIMEOUT


async def test_a_break_after_the_first_bytes_cuts_audio_short_and_is_recorded():
    router, shelf = flowing(broken=(200, AUDIO, [b"RIFF"], RESET), good=GOOD)
    flow = await router.flow(parcel("broken", "good"))
    assert await flow.read() == b"RIFF"
    with pytest.raises(CutShort):
        await flow.read()
    assert await flow.read() == b""
    assert flow.record.attempts[0].outcome is Outcome.RESET_AFTER_COMMIT
    assert shelf.asked == ["broken"]


async def test_a_break_in_events_ends_with_one_error_event():
    router, _ = flowing(broken=(200, EVENTS, [b": hi\n\n", b'data: {"type": "delta"}\n\n'], RESET))
    flow = await router.flow(parcel("broken", path="/audio/transcriptions"))
    told = EventReader().feed(await drained(flow))
    assert told[0] == b'{"type": "delta"}'
    assert b"stream_interrupted" in told[1]
    assert b"attempts" in told[1]


async def test_a_reader_that_leaves_cuts_the_upstream():
    router, shelf = flowing(good=GOOD)
    flow = await router.flow(parcel("good"), Caller(request_id="r1"))
    flow.close()
    flow.close()
    assert shelf.replies[0].closed
    assert (flow.record.outcome, flow.record.status) == (Outcome.CANCELLED_BY_CLIENT, 499)


async def test_when_nobody_answers_the_refusal_carries_the_record():
    router, _ = flowing(bad=failing())
    with pytest.raises(Refusal) as refused:
        await router.flow(parcel("bad"))
    assert refused.value.status == 502
    assert refused.value.record.status == 502


async def test_completions_stream_with_the_record_on_the_last_chunk():
    router, _ = flowing()
    document = {"model": "demo/down", "models": ["demo/fast"], "prompt": "count to 3", "stream": True}
    stream = await router.flow(Parcel("/completions", b"", document))
    heard = Heard(await drained(stream), stream.record)
    assert heard.text == "one, two, three."
    assert heard.done
    assert [one["model"] for one in heard.metadata["attempts"]][-1] == "demo/fast"
    assert {chunk["object"] for chunk in heard.chunks} == {"text_completion"}
    assert heard.metadata["usage"]["completion_tokens"] == 3


async def test_interrupted_completions_are_never_begun_again():
    router, _ = flowing()
    table = RoutingTable(Targets(("demo",)), limits=Limits(timeouts=QUICK, on_interrupt="continue"))
    router.replace(State(table, {"demo": DemoUpstream()}))
    document = {"model": "demo/cut", "models": ["demo/fast"], "prompt": "count to 40", "stream": True}
    raw = await drained(await router.flow(Parcel("/completions", b"", document)))
    told = EventReader().feed(raw)
    assert b"stream_interrupted" in told[-1]
    assert sum(b'"text"' in payload for payload in told) == 21
