"""The outbox keeps order, forgets audio nobody may hear, and never grows without bound."""

import asyncio
import tracemalloc

import orjson

from realtime.outbox import AUDIO_LIMIT_BYTES, HARD_LIMIT_BYTES, Outbox


class Socket:
    def __init__(self):
        self.sent = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, message):
        await self.reads.wait()
        self.sent.append(message)

    @property
    def texts(self):
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]


async def test_frames_leave_in_order_and_then_the_connection_closes():
    outbox, socket = Outbox(), Socket()
    outbox.put(b"one")
    outbox.put(b"two", audio_of="resp_1")
    outbox.close(1000, "bye")
    outbox.put(b"too late")
    await outbox.run(socket.send)
    assert socket.texts == ["one", "two"]
    assert socket.sent[-1] == {"type": "websocket.close", "code": 1000, "reason": "bye"}


async def test_dropped_audio_is_never_sent_and_everything_else_is():
    outbox, socket = Outbox(), Socket()
    for number in range(3):
        outbox.put(b"audio %d" % number, audio_of="resp_1")
        outbox.put(b"event %d" % number)
    outbox.put(b"other audio", audio_of="resp_2")
    outbox.drop("resp_1")
    outbox.close(1000, "")
    await outbox.run(socket.send)
    assert socket.texts == ["event 0", "event 1", "event 2", "other audio"]


async def test_producers_of_audio_wait_while_the_client_does_not_read():
    outbox, socket = Outbox(), Socket()
    socket.reads.clear()
    outbox.put(b"x" * (AUDIO_LIMIT_BYTES + 1), audio_of="resp_1")
    waiting = asyncio.ensure_future(outbox.room())
    sending = asyncio.ensure_future(outbox.run(socket.send))
    await asyncio.sleep(0)
    assert not waiting.done()
    socket.reads.set()
    await waiting
    outbox.close(1000, "")
    await sending
    assert outbox.waiting_bytes == 0


async def test_dropping_audio_makes_room_again():
    outbox = Outbox()
    outbox.put(b"x" * (AUDIO_LIMIT_BYTES + 1), audio_of="resp_1")
    outbox.drop("resp_1")
    await asyncio.wait_for(outbox.room(), 1)
    assert outbox.waiting_bytes == 0


def test_what_waits_takes_no_more_room_than_its_text():
    outbox = Outbox()
    tracemalloc.start()
    for number in range(1000):
        outbox.put(orjson.dumps({"number": number}))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 1000 * 500


async def test_a_client_that_reads_nothing_at_all_is_closed_with_1008():
    outbox, socket = Outbox(), Socket()
    for _ in range(9):
        outbox.put(b"x" * (HARD_LIMIT_BYTES // 8))
    await outbox.run(socket.send)
    assert socket.sent == [
        {"type": "websocket.close", "code": 1008, "reason": "The client does not read what it is sent."}
    ]


async def test_whoever_wants_to_know_is_told_when_a_frame_was_sent():
    outbox, socket, told = Outbox(), Socket(), []
    outbox.put(b"audio", audio_of="resp_1", on_sent=lambda: told.append(list(socket.texts)))
    outbox.close(1000, "")
    await outbox.run(socket.send)
    assert told == [["audio"]]


async def test_what_finds_nothing_waiting_is_written_at_once_and_order_holds_when_that_fails():
    outbox, socket, told = Outbox(), Socket(), []
    writable = [True]

    def write(texts):
        if writable[0]:
            socket.sent += [{"type": "websocket.send", "text": text.decode()} for text in texts]
        return writable[0]

    outbox.put(b"before")
    sending = asyncio.ensure_future(outbox.run(socket.send, write))
    await asyncio.sleep(0)
    outbox.put(b"at once", on_sent=lambda: told.append(list(socket.texts)))
    assert told == [["before", "at once"]]
    writable[0] = False
    outbox.put(b"later", audio_of="resp_1")
    writable[0] = True
    outbox.put(b"after it")
    assert (socket.texts, outbox.waiting_bytes) == (["before", "at once"], len("laterafter it"))
    outbox.drop("resp_1")
    await asyncio.sleep(0)
    outbox.put("é".encode())
    outbox.close(1000, "")
    await sending
    assert socket.texts == ["before", "at once", "after it", "é"]
