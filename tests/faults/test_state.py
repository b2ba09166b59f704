"""The row of the fault matrix about the state that nodes share: a Redis that hangs, is flushed, or is gone."""

import itertools
import shutil
import signal
import statistics

import pytest

from tests.router.proxy.test_shared_limits import command, redis  # noqa: F401 - a fixture

from . import figures
from .matrix import row
from .raw import ask
from .street import Street

METERED = {"authorization": "Bearer sk-canary-metered-1"}
HEALING_S = 15


@pytest.fixture
def street(redis, tmp_path):  # noqa: F811 - the fixture
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    keys = "- {id: metered, secret: sk-canary-metered-1, rpm: 6000}"
    with Street(tmp_path, keys=keys, extra=f'state: {{url: "unix://{redis[0]}"}}\n') as street:
        marks = (f"warm{n}" for n in itertools.count())
        street.until(lambda: metered(street, next(marks)) and readiness(street) == "ok", HEALING_S)
        yield street


def metered(street, mark):
    told = ask(street, f"east/ok@{mark}", stream=False, headers=METERED)
    assert (told.status, told.words) == (200, 60)
    return told


def readiness(street):
    reply = street.client.get("/readyz")
    assert reply.status_code == 200
    return reply.json()["status"]


def test_75_a_redis_that_hangs_or_forgets_costs_one_short_wait_and_no_request(street, redis):  # noqa: F811 - the fixture
    usual_s = statistics.median(metered(street, f"usual{n}").seconds for n in range(20))
    redis[1].send_signal(signal.SIGSTOP)
    try:
        first_s = metered(street, "first").seconds
        later_s = statistics.median(metered(street, f"later{n}").seconds for n in range(20))
        street.until(lambda: readiness(street) == "degraded", 5)
    finally:
        redis[1].send_signal(signal.SIGCONT)
    marks = (f"healing{n}" for n in itertools.count())
    street.until(lambda: metered(street, next(marks)).status == 200 and readiness(street) == "ok", HEALING_S)
    command(redis[0], "FLUSHALL")
    command(redis[0], "SCRIPT", "FLUSH")
    metered(street, "flushed")
    figures.keep(row(75), (first_s - usual_s) * 1000, "ms more once")
    assert first_s - usual_s < 0.5
    assert later_s - usual_s < 0.02
