import pytest

from router.repeated import RepeatedHead

SCOPE = {"path": "/x"}


def message(body: bytes = b"{}", *, length: bytes = b"Content-Length: %d", extra: bytes = b"") -> bytes:
    size = length % len(body) if b"%d" in length else length
    return b"POST /x HTTP/1.1\r\nhost: a\r\n%b\r\n%baccept: */*\r\n\r\n%b" % (size, extra, body)


def test_the_same_head_with_another_length_is_recognised():
    head = RepeatedHead.of(message(b"{}"), SCOPE)
    assert head.scope is SCOPE
    assert head.body(message(b'{"long": "er"}')) == b'{"long": "er"}'
    assert head.body(message(b"", length=b"Content-Length: 00")) == b""


@pytest.mark.parametrize(
    "other",
    [
        message(b"{}")[:-1],
        message(b"{}") + b"POST",
        message(b"{}").replace(b"host: a", b"host: b"),
        message(b"{}").replace(b"accept: */*", b"accept: a/b"),
        message(b"{}", extra=b"transfer-encoding: chunked\r\n"),
        message(b"{}", length=b"Content-Length: +2"),
        message(b"{}", length=b"Content-Length: 2 "),
        message(b"{}", length=b"Content-Length: 0000000002"),
        message(b"{}", length=b"Content-Length: \xd9\xa2"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"",
    ],
)
def test_anything_else_is_for_the_parser(other):
    assert RepeatedHead.of(message(), SCOPE).body(other) is None


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        message(extra=b"Transfer-Encoding: chunked\r\n"),
        message(extra=b"Expect: 100-continue\r\n"),
        message(extra=b"Upgrade: websocket\r\n"),
        message(extra=b"x-content-length: 2\r\n"),
        message() + b"more",
        message(extra=b"x: " + b"a" * 9000 + b"\r\n"),
        b"half a head",
    ],
)
def test_what_is_not_plain_is_not_remembered(first):
    assert RepeatedHead.of(first, SCOPE) is None


def test_a_length_without_a_space_is_remembered_too():
    head = RepeatedHead.of(message(length=b"content-length:%d"), SCOPE)
    assert head.body(message(b"abc", length=b"content-length:%d")) == b"abc"
