"""Row 75: Redis down, frozen or flushed under a running router: limits go on alone, and readiness says so."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import time

import pytest
from websockets.sync.client import connect

from .raw import ask
from .street import Street

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
METERED = "sk-metered-2f81-0123456789"
WITHOUT_SAYING = 0.9  # of a second: patience with Redis is 50 ms once, then a busy machine


class Redis:
    """A real server behind a Unix socket, which can be stopped, frozen and started again."""

    def __init__(self, folder):
        self.path = folder / "redis.sock"
        self.process = None

    def start(self):
        command = ["redis-server", "--port", "0", "--unixsocket", str(self.path), "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(command, cwd=self.path.parent, stdout=subprocess.DEVNULL)
        ends_s = time.monotonic() + 10
        while b"PONG" not in self.say("PING"):
            assert time.monotonic() < ends_s
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait(10)

    def say(self, words):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(self.path))
            sock.sendall(words.encode() + b"\r\n")
            return sock.recv(4096)
        return b""


@pytest.fixture
def redis(tmp_path):
    made = Redis(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def street(tmp_path, redis):
    keys = f"- {{id: metered, secret: {METERED}, rpm: 1000}}"
    with Street(tmp_path, keys=keys, extra=f'state: {{url: "unix://{redis.path}"}}\n') as street:
        yield street


def served(street):
    """One metered request: the seconds it took."""
    began_s = time.monotonic()
    told = ask(street, "east/ok@redis", stream=False, headers={"authorization": f"Bearer {METERED}"})
    assert told.status == 200
    assert "x-ratelimit-remaining-requests" in told.headers
    return time.monotonic() - began_s


def ready(street):
    reply = street.client.get("/readyz")
    assert reply.status_code == 200
    return reply.json()["status"]


def recovered(street):
    """Asked again after its rest, Redis is used again."""
    street.until(lambda: served(street) and ready(street) == "ok", 15)


@contextlib.contextmanager
def opened(street):
    """What a voice session of the key hears first."""
    address = f"ws://127.0.0.1:{street.port}/v1/realtime?model=east/ok"
    with connect(address, additional_headers={"authorization": f"Bearer {METERED}"}, compression=None) as session:
        yield json.loads(session.recv(5))


def test_the_sessions_of_a_key_are_counted_over_all_nodes(tmp_path, redis):
    keys = f"- {{id: metered, secret: {METERED}, concurrent_sessions: 2}}"
    with contextlib.ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            state = f'state: {{url: "unix://{redis.path}"}}\n'
            nodes.append(stack.enter_context(Street(tmp_path / name, keys=keys, extra=state)))
        with opened(nodes[0]) as first:
            with opened(nodes[1]) as second:
                assert (first["type"], second["type"]) == ("session.created", "session.created")
                for node in nodes:
                    with opened(node) as third:
                        assert third["error"]["code"] == "rate_limit_exceeded"

            def room():
                with opened(nodes[0]) as fourth:
                    return fourth["type"] == "session.created"

            nodes[0].until(room, 5)


def test_75_redis_that_dies_costs_no_request_and_is_used_again_when_it_is_back(street, redis):
    served(street)
    assert ready(street) == "ok"
    redis.stop()
    assert max(served(street) for _ in range(10)) < WITHOUT_SAYING
    assert ready(street) == "degraded"
    redis.start()
    recovered(street)
    assert b"$" in redis.say("GET rr:limit:{metered}:rpm")


def test_75_redis_that_freezes_costs_no_request(street, redis):
    served(street)
    redis.process.send_signal(signal.SIGSTOP)
    assert max(served(street) for _ in range(10)) < WITHOUT_SAYING
    assert ready(street) == "degraded"
    redis.process.send_signal(signal.SIGCONT)
    recovered(street)


def test_75_redis_that_forgets_everything_is_no_trouble(street, redis):
    served(street)
    for words in ("FLUSHALL", "SCRIPT FLUSH"):
        assert redis.say(words) == b"+OK\r\n"
        served(street)
        assert ready(street) == "ok"
    assert "Traceback" not in street.stderr.read_text()
