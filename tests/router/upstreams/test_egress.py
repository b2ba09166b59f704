"""Where the router may connect. The table is pure; the spellings are tried end to end, on loopback only."""

import asyncio
import socket
import threading
import time

import pytest

from policies import Outcome, Target, Timeouts
from router.upstreams import resolver
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.egress import refusal
from router.upstreams.http1 import Address
from router.upstreams.openai_http import OpenAIUpstream
from router.upstreams.resolver import Resolver
from tests.router.upstreams.wire import OK, answer, wire

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "::1",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "fc00::1",
    "fdff::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:192.168.1.1",
]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "fd20:ce::254",
    "100.100.100.200",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.9",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:808:808::1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::127.0.0.1",
    "::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "169.255.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450::1",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_allow_private(address):
    assert "allow_private" in refusal(address)
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_a_provider(address):
    assert refusal(address)
    assert refusal(address, allow_private=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address):
    assert refusal(address) is None


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f.1", "1.2.3.4.5", "[::1]"])
def test_what_is_not_an_address_is_refused(text):
    assert refusal(text, allow_private=True) == "not an IP address"


SPELLINGS = [
    "http://127.0.0.1:{port}",
    "http://127.0.0.1:{port}/v1",
    "HTTP://127.0.0.1:{port}",
    "http://127.0.0.2:{port}",
    "http://127.1.2.3:{port}",
    "http://127.255.255.254:{port}",
    "http://127.0.0.1.:{port}",
    "http://127.1:{port}",
    "http://127.0.1:{port}",
    "http://2130706433:{port}",
    "http://0x7f000001:{port}",
    "http://0X7F000001:{port}",
    "http://0x7f.0.0.1:{port}",
    "http://0x7f.0x0.0x0.0x1:{port}",
    "http://0x7f.1:{port}",
    "http://017700000001:{port}",
    "http://0177.0.0.1:{port}",
    "http://0177.0.0.01:{port}",
    "http://0177.1:{port}",
    "http://127.0x0.0.1:{port}",
    "http://localhost:{port}",
    "http://LOCALHOST:{port}",
    "http://LocalHost.:{port}",
    "http://[::1]:{port}",
    "http://[0:0:0:0:0:0:0:1]:{port}",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:{port}",
    "http://[::0001]:{port}",
    "http://[::ffff:127.0.0.1]:{port}",
    "http://[::FFFF:7f00:1]:{port}",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}",
    "http://0.0.0.0:{port}",
    "http://0:{port}",
    "http://[::]:{port}",
    "http://user:word@127.0.0.1:{port}",
    "http://example.com@127.0.0.1:{port}",
    "http://127.0.0.1:{port}#@example.com",
    "http://127.0.0.1:{port}?@example.com",
    "http://example.com\\@127.0.0.1:{port}",
    "http://%31%32%37.0.0.1:{port}",
    "http://127.0.0.1%00.example.com:{port}",
    "http://\uff11\uff12\uff17.0.0.1:{port}",
    "http://127\u3002 0\u30020\u30021:{port}",
    "http://\u24db\u24de\u24d2alhost:{port}",
    "http:// 127.0.0.1:{port}",
    "http://127.0.0.1\t:{port}",
    "http:127.0.0.1:{port}",
    "//127.0.0.1:{port}",
    "file://127.0.0.1:{port}/etc/passwd",
    "gopher://127.0.0.1:{port}",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_loopback_is_reached(spelling):
    async with wire(answer(OK)) as seen:
        with pytest.raises((ValueError, UpstreamFault)) as caught:
            await attempt(spelling.format(port=seen.port), allow_private=False)
        await asyncio.sleep(0.01)
        assert (seen.connections, seen.requests) == (0, [])
        assert "secret-key" not in str(caught.value)


async def attempt(url, *, allow_private):
    made = OpenAIUpstream(url, "secret-key", allow_private=allow_private)
    try:
        call = Call(Target("p", "m"), "/chat/completions", b"{}", None, stream=False, timeouts=Timeouts(connect_s=1))
        return await made.send(call)
    finally:
        assert made.origin.pool.in_use == 0
        await made.aclose()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "[::ffff:127.0.0.1]"])
async def test_allow_private_reaches_it(host):
    async with wire(answer(OK)) as seen:
        reply = await attempt(f"http://{host}:{seen.port}/", allow_private=True)
        assert await reply.body() == b"{}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status):
    async with wire(answer(OK)) as canary:
        location = f"http://127.0.0.1:{canary.port}/steal"
        raw = f"HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()
        async with wire(answer(raw)) as seen:
            reply = await attempt(f"http://127.0.0.1:{seen.port}", allow_private=True)
            assert reply.status == status
        assert canary.connections == 0


def answers(monkeypatch, *texts, wait=None):
    """Let the name service answer these addresses."""
    asked = []

    def lookup(host, port, **_):
        asked.append(host)
        if wait is not None:
            wait.wait(5)
        if not texts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in text], socket.SOCK_STREAM, 6, "", (text, port)) for text in texts]

    monkeypatch.setattr(resolver.socket, "getaddrinfo", lookup)
    return asked


async def test_a_name_that_answers_a_private_address_is_refused(monkeypatch):
    answers(monkeypatch, "127.0.0.1", "10.0.0.1", "169.254.169.254")
    with pytest.raises(UpstreamFault) as caught:
        await Resolver("rebound.test", 80).addresses()
    assert caught.value.outcome is Outcome.CONNECT_REFUSED
    assert "egress guard" in caught.value.message


async def test_only_allowed_addresses_of_a_mixed_answer_remain(monkeypatch):
    answers(monkeypatch, "127.0.0.1", "8.8.8.8", "::1")
    assert [info[4][0] for info in await Resolver("mixed.test", 443).addresses()] == ["8.8.8.8"]


async def test_a_name_is_looked_up_once_and_again_after_its_time(monkeypatch):
    asked = answers(monkeypatch, "8.8.8.8")
    found = Resolver("some.test", 443)
    await asyncio.gather(*(found.addresses() for _ in range(20)))
    assert len(asked) == 1
    found.forget()
    await found.addresses()
    assert len(asked) == 2


async def test_a_failed_lookup_is_a_dns_fault_and_kept_for_a_moment(monkeypatch):
    asked = answers(monkeypatch)
    found = Resolver("nowhere.test", 443)
    for _ in range(3):
        with pytest.raises(UpstreamFault) as caught:
            await found.addresses()
        assert caught.value.outcome is Outcome.DNS
    assert len(asked) == 1
    assert resolver.NEGATIVE_TTL_S <= 5


async def test_a_name_service_that_hangs_is_bounded_by_the_connect_timer_and_hinders_nobody(monkeypatch):
    gate = threading.Event()
    answers(monkeypatch, "127.0.0.1", wait=gate)
    stuck = OpenAIUpstream("http://stuck.test:1", None, allow_private=True)
    call = Call(Target("p", "m"), "/x", b"", None, stream=False, timeouts=Timeouts(connect_s=0.1))
    started_s = time.monotonic()
    faults = await asyncio.gather(*(stuck.send(call) for _ in range(30)), return_exceptions=True)
    assert {fault.outcome for fault in faults} == {Outcome.CONNECT_TIMEOUT}
    assert time.monotonic() - started_s < 0.3
    assert sum(thread.name == "resolve stuck.test" for thread in threading.enumerate()) == 1
    gate.set()


async def test_the_second_address_is_tried_when_the_first_is_dead():
    async with wire(answer(OK)) as seen:
        made = OpenAIUpstream(f"http://localhost:{seen.port}", None, allow_private=True)
        made.origin._resolver._answer = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, seen.port)) for host in ("127.0.0.9", "127.0.0.1")
        ]
        made.origin._resolver._valid_until_s = float("inf")
        started_s = time.monotonic()
        call = Call(Target("p", "m"), "/x", b"", None, stream=False, timeouts=Timeouts())
        assert (await made.send(call)).status == 200
        assert time.monotonic() - started_s < 0.3
        await made.aclose()


def test_addresses_are_taken_apart_once():
    assert Address.parse("https://api.test/v1/") == Address("https", "api.test", 443, "/v1")
    assert Address.parse("https://api.test/v1/").authority == "api.test"
    assert Address.parse("http://[::1]:8000").authority == "[::1]:8000"


@pytest.mark.parametrize(
    "url",
    ["", "api.test", "ftp://x", "http://", "http://:80", "http://a:0", "http://a:99999", "http://a:x", "http://[::1"],
)
def test_a_url_that_cannot_be_used_is_refused_with_its_field(url):
    with pytest.raises(ValueError, match="base_url: "):
        Address.parse(url)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"api_key": "a\nb"}, "api_key"),
        ({"api_key": " padded"}, "api_key"),
        ({"headers": {"x y": "1"}}, "x y"),
        ({"headers": {"": "1"}}, "header name"),
        ({"headers": {"x-a": "1\r\nhost: b"}}, "x-a"),
        ({"headers": {"Host": "b"}}, "Host"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length"),
    ],
)
def test_keys_and_headers_that_would_break_a_request_are_refused(options, word):
    with pytest.raises(ValueError, match=word):
        OpenAIUpstream("http://localhost", **options)


async def test_a_configured_authorization_header_replaces_the_bearer():
    async with wire(answer(OK)) as seen:
        headers = {"Authorization": "Basic abc"}
        made = OpenAIUpstream(f"http://127.0.0.1:{seen.port}", "k", headers=headers, allow_private=True)
        await made.send(Call(Target("p", "m"), "/x", b"", None, stream=False, timeouts=Timeouts()))
        await made.aclose()
        assert b"authorization: Basic abc\r\n" in seen.requests[0]
        assert b"Bearer" not in seen.requests[0]


@pytest.mark.parametrize("path", ["chat", "/a b", "/a\r\nx: y", "/ü", "/a#b"])
async def test_a_path_that_would_break_a_request_is_a_fault(path):
    made = OpenAIUpstream("http://127.0.0.1:9", "k", allow_private=True)
    with pytest.raises(UpstreamFault, match="cannot be requested"):
        await made.send(Call(Target("p", "m"), path, b"", None, stream=False, timeouts=Timeouts()))
