"""A speech server that is played: its answers, and what it was asked."""

import email
import json

import numpy as np
import pytest

from policies import Target, Timeouts
from realtime.speech.openai_hearing import HttpTranscriber
from realtime.speech.openai_speaking import HttpSpeaker
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


async def fails(doing, answer):
    """How it ends when a server answers that; no reply stays open."""
    server = Server(answer)
    with pytest.raises(UpstreamFault) as fault:
        await doing(server)
    assert all(reply.closed for reply in server.replies)
    return fault.value.outcome
