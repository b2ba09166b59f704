"""A stream cut anywhere on its way in comes out as the same text, ten thousand times: reader, relay and splice."""

import itertools
import random

from policies import Limits, RoutingTable, Targets
from router import Router, State
from router.clock import Clock
from router.upstreams.inprocess import Piece, ScheduledReply

from .house import MESSAGES, QUICK, Heard, drained

SLICINGS = 10_000
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
    """An upstream that sends the stream in the pieces of the moment."""

    def __init__(self):
        self.pieces = []

    async def send(self, call):
        kind = {"content-type": "text/event-stream"}
        return ScheduledReply(200, kind, [Piece(0.0, piece) for piece in self.pieces], clock=Clock(), idle_s=9.0)

    async def aclose(self):
        """Nothing is held."""


async def test_ten_thousand_random_cuts_come_out_byte_for_byte():
    upstream, chance = Sliced(), random.Random(20261121)
    table = RoutingTable(Targets(("scripted",)), limits=Limits(timeouts=QUICK))
    router = Router(State(table, {"scripted": upstream}))
    wrong = []
    for number in range(SLICINGS):
        cuts = [0, *sorted(chance.sample(range(1, len(STREAM)), chance.randint(0, 12))), len(STREAM)]
        upstream.pieces = [STREAM[a:b] for a, b in itertools.pairwise(cuts)]
        stream = await router.stream({"model": "scripted/ok", "messages": MESSAGES, "stream": True})
        heard = Heard(await drained(stream), stream.record)
        if heard.text != WANTED or not heard.done or heard.errors:
            wrong.append((number, cuts, heard.text))
    assert wrong[:3] == []
