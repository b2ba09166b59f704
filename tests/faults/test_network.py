"""Rows of the fault matrix that need a network which loses packets: two hosts of the test's own, a filter between them.

The application and its client are on the near host, providers and the name server on the far one. Where a machine makes
no network namespaces, the rows are skipped with the reason.
"""

import contextlib
import socket
import time

import pytest

from router.upstreams.resolver import NEGATIVE_TTL_S, TTL_S
from router.upstreams.scripted import ScriptedServer

from . import figures
from .invariants import WORDS
from .matrix import row
from .names import NXDOMAIN, SERVFAIL, SILENCE, Names
from .namespaces import FAR, NEAR, OTHERS, TwoHosts, step_into, why_not
from .raw import ask, chat, dial
from .street import KEY, TIMEOUTS, Street, provider

DEAD, DARK, MOVED = OTHERS
NAMED = {"nowhere": NXDOMAIN, "failing": SERVFAIL, "mute": SILENCE, "twin": [DEAD, FAR], "mover": [FAR]}
PLACES = {"east": FAR, "dark": DARK, "spare": DARK, **{name: f"{name}.test" for name in NAMED}}
LIMITS = {**TIMEOUTS, "idle_s": 1.5}  # TCP needs its time to go on after a gap
CONNECT_MS = LIMITS["connect_s"] * 1000
HANDSHAKE = (
    "GET /v1/realtime?model=east/ok HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    f"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\nauthorization: Bearer {KEY}\r\n\r\n"
).encode()


class FarStreet(Street):
    """The street over a cable; names are looked up at the far host, too."""

    host = "0.0.0.0"
    plain = tuple(PLACES)
    timeouts = LIMITS

    def __init__(self, folder, hosts, **more):
        super().__init__(folder, prefix=hosts.command, **more)
        self.hosts = hosts

    async def _open(self):
        step_into(self.hosts.far)
        self.server = ScriptedServer(host="0.0.0.0", time_scale=0.05, gap_s=0.02, keep_bodies=True)
        await self._enter(self.server)
        self.names = Names(NAMED)

    def _providers(self):
        return "\n".join(provider(name, f"http://{place}:{self.server.port}") for name, place in PLACES.items())


@pytest.fixture(scope="module")
def hosts():
    if why := why_not():
        pytest.skip(why)
    with TwoHosts() as hosts, hosts.entered(hosts.near):
        hosts.name_server(FAR)
        yield hosts


@pytest.fixture(scope="module")
def lost(hosts, tmp_path_factory):
    """A client in a stream and one in a voice session whose host has lost its power; what follows is looked at last."""
    with FarStreet(tmp_path_factory.mktemp("lost"), hosts) as street, contextlib.ExitStack() as stack:
        with hosts.entered(hosts.far):
            clients = [stack.enter_context(far_client(street)) for _ in range(2)]
            street.witness.statuses([None])
        for client, raw in zip(clients, (chat("east/burst-100000@lost"), HANDSHAKE), strict=True):
            client.sendall(raw)
            assert client.recv(4096)
        street.until(lambda: (street.total("rr_inflight"), street.total("rr_ws_sessions")) == (1, 1))
        for client in clients:
            hosts.rule(f"tcp dport {client.getsockname()[1]} drop", chain="lost")
        street.lost_s = time.monotonic()
        yield street


def far_client(street):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(5)
    sock.connect((NEAR, street.port))
    return sock


@pytest.fixture(scope="module")
def street(hosts, lost, tmp_path_factory):
    with FarStreet(tmp_path_factory.mktemp("street"), hosts) as street:
        street.loop.run(street.names.listen(FAR))
        street._made.append(street.names)
        assert ask(street, "east/ok@warm").words == 60
        yield street


def answered(street, mark, *models, stream=True):
    """One request whose models all get the row's mark."""
    return ask(street, *(f"{model}@{mark}" for model in models), stream=stream)


def falls_back(told, *outcomes):
    assert (told.status, told.words) == (200, 60)
    assert told.outcomes[0] in outcomes
    assert [attempt["success"] for attempt in told.attempts] == [False, True]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])
def test_2_a_black_hole_costs_the_connect_timer_and_no_more(street, hosts, stream):
    with hosts.broken(f"ip daddr {DARK} drop"):
        told = answered(street, f"hole{stream}", "dark/ok", "east/ok", stream=stream)
    falls_back(told, "connect_timeout")
    over_ms = told.attempts[0]["duration_ms"] - CONNECT_MS
    figures.keep(row(2, "hole"), over_ms, "ms beyond the timer")
    assert 0 <= over_ms < 250


@pytest.mark.parametrize("way", ["host-unreachable", "admin-prohibited"])
def test_3_an_unreachable_host_is_told_at_once(street, hosts, way):
    with hosts.broken(f"ip daddr {DARK} reject with icmp type {way}"):
        told = answered(street, way, "dark/ok", "east/ok")
    falls_back(told, "connect_refused")
    assert told.attempts[0]["duration_ms"] < CONNECT_MS
    figures.keep(row(3, "unreachable"), told.attempts[0]["duration_ms"], "ms for the attempt")


@pytest.mark.parametrize(("name", "fault"), [("nowhere", "NXDOMAIN"), ("failing", "SERVFAIL")])
def test_4_a_name_without_an_address_is_the_next_target_and_not_asked_for_again_at_once(street, name, fault):
    first = answered(street, f"{name}1", f"{name}/ok", "east/ok")
    looked = len(street.names.asked)
    second = answered(street, f"{name}2", f"{name}/ok", "east/ok")
    falls_back(first, "dns")
    falls_back(second, "dns")
    assert len(street.names.asked) == looked
    figures.keep(row(4, fault), first.attempts[0]["duration_ms"], "ms for the lookup")
    street.names.known[f"{name}.test"] = [FAR]
    time.sleep(NEGATIVE_TTL_S + 0.1)
    assert answered(street, f"{name}3", f"{name}/ok").outcomes == ["success"]


def test_5_a_name_server_that_hangs_is_bounded_by_the_connect_timer_and_hinders_nobody(street):
    stuck = answered(street, "mute", "mute/ok", "east/ok")
    beside = answered(street, "beside", "east/ok")
    falls_back(stuck, "connect_timeout")
    figures.keep(row(5), stuck.attempts[0]["duration_ms"] - CONNECT_MS, "ms beyond the timer")
    assert stuck.attempts[0]["duration_ms"] < CONNECT_MS + 250
    assert beside.seconds < 0.5


def test_6_a_dead_first_address_costs_a_quarter_of_a_second(street, hosts):
    with hosts.broken(f"ip daddr {DEAD} counter drop"):
        told = answered(street, "twin", "twin/ok", "east/ok")
        met = hosts.counted()
    assert told.outcomes == ["success"]
    assert met[0] >= 1, "the dead address was never tried"
    extra_ms = told.attempts[0]["duration_ms"] - answered(street, "twin2", "east/ok").attempts[0]["duration_ms"]
    figures.keep(row(6), extra_ms, "ms more")
    assert extra_ms < 450


def test_7_a_name_that_moves_is_followed_within_its_time(street, hosts):
    assert answered(street, "still", "mover/ok", "east/ok").outcomes == ["success"]
    street.names.known["mover.test"] = [MOVED]
    moved_s = time.monotonic()
    with hosts.broken(f"ip daddr {FAR} tcp dport {street.server.port} drop"):
        while "mover" not in (told := ask(street, "mover/ok@moving", "spare/ok@moving")).attempts[-1]["provider"]:
            assert told.words == 60, "the fallback did not answer meanwhile"
            assert time.monotonic() - moved_s < TTL_S + 2
        took_s = time.monotonic() - moved_s
        after = [answered(street, f"moved{n}", "mover/ok", "spare/ok") for n in range(10)]
    assert {one.attempts[0]["outcome"] for one in after} == {"success"}
    figures.keep(row(7), took_s * 1000, "ms until the new address is used")


def test_37_a_provider_that_goes_silent_in_a_stream_is_an_idle_stream(street, hosts):
    sock = dial(street)
    sock.sendall(chat("east/slow-stream@silent"))
    seen = b""
    while seen.count(b"delta") < 3:
        seen += sock.recv(65536)
    with hosts.broken(f"ip saddr {FAR} tcp sport {street.server.port} drop", chain="in"):
        cut_s = time.monotonic()
        while b"stream_interrupted" not in seen and (piece := sock.recv(65536)):
            seen += piece
        took_s = time.monotonic() - cut_s
    sock.close()
    assert seen.count(b"stream_interrupted") == 1
    assert b"idle_timeout" in seen
    assert b"[DONE]" not in seen
    figures.keep(row(37, "half-open"), (took_s - LIMITS["idle_s"]) * 1000, "ms beyond the timer")
    assert took_s < LIMITS["idle_s"] + 0.5
    assert answered(street, "again", "east/ok").outcomes == ["success"]


def test_2_a_partition_that_heals_in_time_is_not_seen(street, hosts):
    sock = dial(street)
    sock.sendall(chat("east/slow-stream@partition"))
    seen = b""
    while seen.count(b"delta") < 3:
        seen += sock.recv(65536)
    with hosts.broken(f"ip daddr {FAR} drop"), hosts.broken(f"ip saddr {FAR} drop", chain="in"):
        time.sleep(0.2)
        healed_s = time.monotonic()
    fresh = b""
    while b"[DONE]" not in seen and (piece := sock.recv(65536)):
        if not fresh:
            figures.keep(row(2, "partition"), (time.monotonic() - healed_s) * 1000, "ms until it goes on")
        fresh = piece
        seen += piece
    sock.close()
    assert seen.count(b'"content"') >= len(WORDS)
    assert b"error" not in seen


@pytest.mark.parametrize("percent", [10, 30])
def test_2_lost_packets_are_an_answer_or_one_error(street, hosts, percent):
    with hosts.broken(f"ip daddr {FAR} numgen random mod 100 < {percent} drop"):
        told = [ask(street, f"east/ok@loss{percent}{n}", f"dark/ok@loss{percent}{n}") for n in range(12)]
    whole = sum(one.words == 60 and one.done for one in told)
    figures.keep(row(2, f"{percent} %"), 12 - whole, "of 12 not whole")
    assert whole >= 6
    assert answered(street, f"healed{percent}", "east/ok").outcomes == ["success"]


def test_54_clients_without_power_are_given_up_within_a_minute(street, lost):
    def left():
        return lost.total("rr_inflight"), lost.total("rr_ws_sessions")

    lost.until(lambda: left() == (0, 0), 61)
    took_s = time.monotonic() - lost.lost_s
    lost.until(lambda: lost.journal("lost")[0].client_gone, 5)
    figures.keep(row(54), took_s, "s")
    assert took_s < 60
