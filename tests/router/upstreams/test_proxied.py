"""The same port through a proxy: what the proxy sees, and how its failures are told."""

import gzip
import socket

import pytest

from policies import Outcome, Target, Timeouts
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.proxied import ProxiedUpstream, proxy_for
from tests.router.upstreams.wire import OK, answer, wire

QUICK = Timeouts(connect_s=0.2, first_token_s=0.2, idle_s=0.2)


def call(**fields):
    return Call(Target("p", "m"), "/chat/completions", b"{}", None, stream=False, timeouts=QUICK, **fields)


async def through(script, url="http://api.test/v1", asked=None, read=None):
    """Ask through a proxy that runs `script`; the status, the body and what the proxy saw."""
    async with wire(script) as seen:
        made = ProxiedUpstream(url, "secret-key", proxy=f"http://user:word@127.0.0.1:{seen.port}")
        try:
            reply = await made.send(asked or call())
            try:
                return reply.status, await (reply.body(read) if read else reply.body()), seen
            finally:
                reply.close()
        finally:
            await made.aclose()


async def test_the_proxy_gets_the_whole_address_and_only_our_headers():
    fields = {"traceparent": "00-1", "x-request-id": "abc"}
    status, body, seen = await through(answer(OK), asked=call(headers=fields))
    assert (status, body) == (200, b"{}")
    head = seen.requests[0].lower()
    assert head.startswith(b"post http://api.test/v1/chat/completions http/1.1\r\n")
    assert b"authorization: bearer secret-key\r\n" in head
    assert b"traceparent: 00-1\r\n" in head
    assert b"x-request-id" not in head
    assert b"accept-encoding: identity\r\n" in head


async def test_a_callers_own_key_replaces_the_configured_one():
    _, _, seen = await through(answer(OK), asked=call(credential="own"))
    assert b"Bearer own\r\n" in seen.requests[0]
    assert b"secret-key" not in seen.requests[0]


async def test_a_redirect_is_an_answer():
    raw = b"HTTP/1.1 302 Go\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"
    status, _, seen = await through(answer(raw))
    assert (status, len(seen.requests)) == (302, 1)


async def test_a_tunnel_is_asked_for_and_its_refusal_is_a_fault():
    raw = b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n"
    with pytest.raises(UpstreamFault, match="the proxy answered 407") as caught:
        await through(answer(raw), url="https://api.test/v1")
    assert caught.value.outcome is Outcome.CONNECT_REFUSED


@pytest.mark.parametrize(
    ("raw", "close", "outcome"),
    [
        (b"", False, Outcome.HEADER_TIMEOUT),
        (b"", True, Outcome.RESET_BEFORE_COMMIT),
        (b"hello\r\n\r\n", False, Outcome.MALFORMED_RESPONSE),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", False, Outcome.IDLE_TIMEOUT),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe", True, Outcome.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nhello", False, Outcome.DECODE_ERROR),
    ],
)
async def test_failures_are_told_in_our_words_without_a_secret(raw, close, outcome):
    script = answer(raw, then=(lambda peer: peer.writer.close()) if close else None)
    with pytest.raises(UpstreamFault) as caught:
        await through(script)
    assert caught.value.outcome is outcome
    assert "word" not in caught.value.message
    assert "secret-key" not in caught.value.message


async def test_a_bomb_ends_at_the_limit():
    encoded = gzip.compress(b"\0" * 3_000_000)
    raw = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(encoded) + encoded
    with pytest.raises(UpstreamFault, match="larger than 1000000 bytes"):
        await through(answer(raw), read=1_000_000)


async def test_a_proxy_that_is_not_there_is_refused():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        made = ProxiedUpstream("http://api.test", "k", proxy=f"http://127.0.0.1:{held.getsockname()[1]}")
        with pytest.raises(UpstreamFault, match="proxy cannot be reached") as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.CONNECT_REFUSED
        await made.aclose()


async def test_a_line_break_cannot_be_smuggled():
    with pytest.raises(UpstreamFault, match="printable ASCII"):
        await through(answer(OK), asked=call(credential="a\r\nb: c"))


def test_private_addresses_and_other_schemes_are_refused():
    with pytest.raises(ValueError, match=r"base_url: '10\.0\.0\.1' is private"):
        ProxiedUpstream("http://10.0.0.1", None, proxy="http://proxy.test")
    with pytest.raises(ValueError, match="proxy: must begin"):
        ProxiedUpstream("http://api.test", None, proxy="socks5://proxy.test")


def test_the_environment_names_the_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.test")
    assert proxy_for("https://api.test/v1") == "http://proxy.test:3128"
    assert proxy_for("https://inside.test/v1") is None
    assert proxy_for("http://api.test/v1") is None
