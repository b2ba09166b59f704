"""Whatever bytes reach a parser: it answers or refuses in its own words, and never fails in another way."""

import contextlib
import hashlib
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import Refusal
from router.config import ConfigError, load
from router.proxy.auth import Authenticator, Key
from router.proxy.secrets import SecretStore
from router.proxy.tokens import TokenRefusedError, Tokens
from router.sse import EventReader
from router.upstreams.http1 import Address
from router.verdict import failed

SERVER = """version: 1
auth: {keys: [{id: web, secret: a-long-enough-secret, rpm: 60, routers: ["*"]}]}
providers: {mine: {kind: openai, base_url: "http://127.0.0.1:9/v1", api_key: x, allow_private: true}}
defaults: {profile: voice, timeouts: {idle_s: 3}, hedge: {after_s: 1, max_extra: 0.05}}
routers: []
aliases: {gpt: mine/gpt}
records: {url: "memory://"}
"""
MARKS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "&a",
    "*a",
    "!!python/object",
    "\t",
    "\x00",
    "\ud7ff",
    "|",
    "'",
    '"',
    "${X}",
    "1e999",
]
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
SECRET = b"s" * 40


@QUICK
@given(stream=st.lists(st.sampled_from([b"data:", b" ", b"\n", b"\r", b"{}", b"\xff", b": x", b"id:", b"[DONE]"])),
       cuts=st.lists(st.integers(0, 200), max_size=8))  # fmt: skip
def test_events_read_the_same_wherever_random_lines_are_cut(stream, cuts):
    whole = b"".join(stream)
    one, other = EventReader(), EventReader()
    read, last = [], 0
    for cut in [*sorted(min(cut, len(whole)) for cut in cuts), len(whole)]:
        read += other.feed(whole[last:cut])
        last = cut
    assert read + other.end() == one.feed(whole) + one.end()


@QUICK
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SERVER)), st.integers(0, 12), st.sampled_from(MARKS)), min_size=1, max_size=4
    )
)
def test_a_mangled_configuration_is_taken_or_refused_with_a_place(tmp_path_factory, edits):
    text = SERVER
    for at, length, mark in edits:
        text = text[:at] + mark + text[at + length :]
    path = tmp_path_factory.getbasetemp() / "mangled.yaml"
    path.write_text(text, encoding="utf-8")
    told = None
    try:
        load(path, {})
    except ConfigError as error:
        told = error
    assert told is None or (told.render() and all(finding.line >= 1 for finding in told.findings))


@QUICK
@given(st.one_of(st.text(max_size=60), st.builds("http://{}/v1".format, st.text(max_size=30))))
def test_an_address_is_whole_or_refused(text):
    with contextlib.suppress(ValueError):
        address = Address.parse(text)
        assert address.host
        assert 0 < address.port < 65536


@QUICK
@given(st.lists(st.binary(max_size=40), min_size=3, max_size=3))
def test_no_random_token_is_one(parts):
    presented = b".".join(parts)
    refused = False
    try:
        Tokens(SECRET, ttl_s=60, wall=time.time).verify(presented, hashlib.sha256(presented).digest())
    except TokenRefusedError:
        refused = True
    assert refused


@QUICK
@given(
    st.dictionaries(
        st.sampled_from([b"authorization", b"x-api-key", b"api-key", b"origin", b"host"]), st.binary(max_size=60)
    ),
    st.binary(max_size=60),
    st.lists(st.text(max_size=60), max_size=3),
)
def test_no_random_caller_gets_in(headers, query, subprotocols):
    tokens = Tokens(SECRET, ttl_s=60, wall=time.time)
    door = Authenticator([Key("web", "secret-of-web")], tokens=tokens, secrets=SecretStore(time.time))
    status = None
    try:
        door.authenticate(headers, query=b"authorization=" + query, subprotocols=subprotocols)
    except Refusal as refusal:
        status = refusal.status
    assert status in (401, 403)


@QUICK
@given(
    st.integers(300, 599),
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "content-type"]), st.text(max_size=30)),
    st.one_of(st.binary(max_size=200), st.builds(b'{"error":%b}'.__mod__, st.binary(max_size=60))),
)
def test_whatever_error_a_provider_sends_has_a_class_and_a_bounded_wait(status, headers, body):
    fault = failed(status, headers, body, time.time())
    assert fault.outcome
    assert fault.retry_after_s is None or 0 <= fault.retry_after_s <= 120
