"""What a model streams, as the session is told it."""

from realtime.protocol import ToolArgumentsDelta, ToolCallFinished, ToolCallStarted
from realtime.replying import OpenCalls


class Reply:
    """Keeps what it is told."""

    response_id = "resp_1"
    request = None

    def __init__(self):
        self.told = []

    def tell(self, event):
        self.told.append(event)


def call(name, arguments, **more):
    return {"function": {"name": name, "arguments": arguments}, **more}


def told(*chunks, whole=True):
    reply, calls = Reply(), OpenCalls()
    for pieces in chunks:
        calls.tell(pieces, reply, 0.0)
    calls.finish(reply, 0.0, whole=whole)
    return reply.told


def test_pieces_of_a_call_belong_together_by_their_index():
    events = told(
        [call("look", "", index=0, id="a"), call("listen", "[]", index=1, id="b")],
        [call(None, '{"x"', index=0)],
        [call(None, ":1}", index=0, id="a")],
    )
    started = [event.call_id for event in events if isinstance(event, ToolCallStarted)]
    assert started == ["a", "b"] == [event.call_id for event in events if isinstance(event, ToolCallFinished)]
    assert [(one.call_id, one.text) for one in events if isinstance(one, ToolArgumentsDelta)] == [
        ("b", "[]"),
        ("a", '{"x"'),
        ("a", ":1}"),
    ]


def test_calls_without_an_id_get_one_that_no_other_reply_has():
    first, second = (told([call("look", "{}")])[0].call_id for _ in range(2))
    assert first != second
    assert first.startswith("call_")


def test_a_call_without_arguments_has_an_empty_object_of_them():
    events = told([call("look", "", index=0, id="a")])
    assert [event.text for event in events if isinstance(event, ToolArgumentsDelta)] == ["{}"]
    assert isinstance(events[-1], ToolCallFinished)
    cut = told([call("look", "", index=0, id="a")], whole=False)
    assert not [event for event in cut if isinstance(event, ToolArgumentsDelta)]


def test_another_id_at_the_same_index_is_another_call():
    events = told([call("look", "{}", index=0, id="a"), call("listen", "{}", index=0, id="b")])
    assert [event.name for event in events if isinstance(event, ToolCallStarted)] == ["look", "listen"]
    assert [event.call_id for event in events if isinstance(event, ToolArgumentsDelta)] == ["a", "b"]
    assert [event.call_id for event in events if isinstance(event, ToolCallFinished)] == ["a", "b"]
