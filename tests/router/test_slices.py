"""A stream cut anywhere on its way in comes out as the same bytes, ten thousand times: reader, relay, splice and flow.

Streams of events: the bytes of the one run that was not cut, but for what no two answers share (an id, milliseconds).
What is not understood: the very bytes that the upstream sent.
"""

import asyncio
import itertools
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies import Limits, RoutingTable, Targets
from router import Router, State
from router.clock import Clock
from router.router import Parcel
from router.upstreams.inprocess import Piece, ScheduledReply

from .house import MESSAGES, QUICK, Heard, drained

SLICINGS = 10_000
SSE, SOUND = "text/event-stream", "audio/mpeg"
DOCUMENT = {"model": "scripted/ok", "messages": MESSAGES, "stream": True}
TEXT = ["", "caf\u00e9", " \u65e5\u672c", " \U0001f600", ' "data: ', "\\n\\n", " [DONE]", " end", "\u2028."]
HEAD = b'{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'


def events():
    """The text in every spelling that the grammar of events allows."""
    spellings = (b"data: %b\n\n", b"data:%b\r\n\r\n", b": ping\n\ndata: %b\r\r", b"event: message\nid: 7\ndata: %b\n\n")
    for n, text in enumerate(TEXT):
        delta = text if "\\" in text else text.replace('"', '\\"')
        yield spellings[n % 4] % (HEAD + b'"delta":{"content":"' + delta.encode() + b'"},"finish_reason":null}]}')
    yield b"data: " + HEAD + b'"delta":{},"finish_reason":"stop"}]}\n\n'
    yield b"data: [DONE]\n\n"


STREAM = b"".join(events())
WANTED = "".join(text.replace("\\n", "\n") for text in TEXT)


class Sliced:
    """An upstream that sends the stream in the pieces of the moment, as events or as sound."""

    def __init__(self):
        self.pieces = []
        self.kind = SSE

    async def send(self, call):
        pieces = [Piece(0.0, piece) for piece in self.pieces]
        return ScheduledReply(200, {"content-type": self.kind}, pieces, clock=Clock(), idle_s=9.0)

    async def aclose(self):
        """Nothing is held."""


OWN = re.compile(rb'(?<=generation_id":")[0-9a-f-]{36}|(?<=_ms":)[0-9]+')  # what no two answers share
PLACES = st.sets(st.integers(1, len(STREAM) - 1), max_size=12)


class Doors:
    """The ways through a router, to an upstream that sends the stream as it is cut."""

    def __init__(self):
        self.upstream = Sliced()
        table = RoutingTable(Targets(("scripted",)), limits=Limits(timeouts=QUICK))
        self.router = Router(State(table, {"scripted": self.upstream}))

    def cut(self, cuts, kind=SSE):
        """Cut the stream there from now on."""
        places = [0, *sorted(cuts), len(STREAM)]
        self.upstream.pieces = [STREAM[a:b] for a, b in itertools.pairwise(places)]
        self.upstream.kind = kind

    async def chat(self, cuts=()):
        self.cut(cuts)
        return OWN.sub(b"0", await drained(await self.router.stream(DOCUMENT)))

    async def passed(self, cuts=()):
        """A legacy completion, and sound, which nobody looks into."""
        self.cut(cuts)
        completion = await drained(await self.router.flow(Parcel("/completions", b"", DOCUMENT)))
        self.cut(cuts, SOUND)
        return OWN.sub(b"0", completion), await drained(await self.router.flow(Parcel("/audio/speech", b"", DOCUMENT)))


def always(runner, way, wanted, times):
    """Whatever the cuts, these are the bytes."""

    @settings(max_examples=times, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(PLACES)
    def check(cuts):
        assert runner.run(way(cuts)) == wanted

    check()


def whole(stream):
    heard = Heard(stream, None)
    return (heard.text, heard.done, heard.errors, b'"metadata":{' in stream) == (WANTED, True, [], True)


def test_ten_thousand_random_cuts_of_a_chat_come_out_byte_for_byte():
    doors = Doors()
    with asyncio.Runner() as runner:
        wanted = runner.run(doors.chat())
        assert whole(wanted)
        always(runner, doors.chat, wanted, SLICINGS)


def test_cuts_of_what_is_passed_on_come_out_byte_for_byte():
    doors = Doors()
    with asyncio.Runner() as runner:
        completion, sound = runner.run(doors.passed())
        assert whole(completion)
        assert sound == STREAM
        always(runner, doors.passed, (completion, sound), SLICINGS // 10)
