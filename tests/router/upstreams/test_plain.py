import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.upstreams.plain import plain

BODY = b'{"a": 1}'


def answer(*lines: bytes, body: bytes = BODY, status: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join([status, *lines, b"", body])


LENGTH = b"Content-Length: 8"


def test_a_plain_answer_is_read_whole():
    assert plain(answer(LENGTH, b"X-Id:  some value ")) == (200, {"content-length": "8", "x-id": "some value"}, BODY)
    assert plain(answer(b"content-length: 0", body=b"", status=b"HTTP/1.1 503"))[0] == 503


@pytest.mark.parametrize(
    "data",
    [
        answer(LENGTH)[:-1],  # not all of it
        answer(LENGTH) + b"x",  # more than it
        answer(LENGTH)[:20],
        answer(b"content-type: text/plain"),  # until the end of the connection
        answer(LENGTH, LENGTH),
        answer(LENGTH, b"content-length: 9"),
        answer(LENGTH, b"Transfer-Encoding: chunked"),
        answer(LENGTH, b"Connection: close"),
        answer(LENGTH, b"Upgrade: h2c"),
        answer(b"Content-Length: +8"),
        answer(b"Content-Length: 8 8"),
        answer(b"Content-Length: 00000000008"),
        answer(LENGTH, b"x-a: caf\xc3\xa9"),
        answer(LENGTH, b"x-a: tab\there"),
        answer(LENGTH, b"x-a: one\rtwo"),
        answer(LENGTH, b"x-a: one\ntwo"),
        answer(LENGTH, b"no colon"),
        answer(LENGTH, b": no name"),
        answer(LENGTH, b"x a: space"),
        answer(LENGTH, b" folded: line"),
        answer(LENGTH, status=b"HTTP/1.0 200 OK"),
        answer(LENGTH, status=b"HTTP/1.1 204 No Content"),
        answer(LENGTH, status=b"HTTP/1.1 304 Not Modified"),
        answer(LENGTH, status=b"HTTP/1.1 100 Continue"),
        answer(LENGTH, status=b"HTTP/1.1 2000"),
        answer(LENGTH, status=b"HTTP/1.1 2x0 OK"),
        answer(LENGTH, *(b"x-%d: 1" % n for n in range(201))),
        answer(LENGTH, b"x-long: " + b"a" * 70_000),
    ],
)
def test_everything_else_is_left_to_the_parser(data):
    assert plain(data) is None


@given(
    st.lists(st.tuples(st.text("abcXYZ-_09", min_size=1, max_size=9), st.text(max_size=9)), max_size=5),
    st.binary(max_size=9),
    st.integers(0, 10),
)
def test_what_it_reads_the_parser_reads_alike(headers, body, length):
    lines = [f"{name}: {value}".encode() for name, value in headers]
    data = answer(b"content-length: %d" % length, *lines, body=body)
    read = plain(data)
    if read is None:
        return
    seen: dict[str, str] = {}
    pieces: list[bytes] = []
    ended: list[bool] = []

    class Events:
        def on_header(self, name: bytes, value: bytes) -> None:
            seen[name.decode().lower()] = value.decode().strip()

        def on_body(self, piece: bytes) -> None:
            pieces.append(piece)

        def on_message_complete(self) -> None:
            ended.append(True)

    httptools.HttpResponseParser(Events()).feed_data(data)
    assert (read[1], read[2], ended) == (seen, b"".join(pieces), [True])
