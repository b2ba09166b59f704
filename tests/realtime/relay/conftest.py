"""A relay before two kinds of upstream: this product itself, with demo models, and one that fails as it is told."""

import asyncio

import pytest

from tests.faults.street import Loop
from tests.realtime.voice_rig import connected, grammar, running

from .rig import KEY, OURS, FaultyUpstream, pool, provider, server_file

UPSTREAM = """
version: 1
records: {{url: null}}
auth: {{keys: [{{id: main, secret: {ours}, concurrent_sessions: 400, packets_per_second: 100000}}]}}
providers: {{demo: {{kind: demo}}}}
realtime:
  limits: {{concurrent_sessions: 400}}
  transcription: {{model: local/pocketsphinx, grammar: sentences.jsgf}}
"""
GOOD = "ours/demo/fast"
POOLS = {
    "refused": ("bad/refuse-503", GOOD),
    "unknown": ("bad/refuse-404", GOOD),
    "hanging": ("bad/never", "bad/hang", GOOD),
    "unfriendly": ("bad/error-first", GOOD),
    "young": ("bad/young__1011", GOOD),
    "cut": ("bad/young__", "bad/good__cut", "bad/good__cut2"),
    "asked": ("bad/asked__1011", "bad/good__asked"),
    "silent": ("bad/silent", "bad/good__silent"),
    "begun": ("bad/begun__1008", "bad/good__begun"),
    "dropped": ("bad/dropped__", "bad/good__dropped"),
    "nobody": ("bad/refuse-503", "bad/refuse-500"),
    "last": ("bad/young__1011", "bad/refuse-503"),
    "mixed": ("bad/refuse-503", "demo/fast"),
    "deafened": ("bad/deaf", "bad/good__deafened"),
    "noisy": ("bad/noisy",),
    "written": ("demo/fast", GOOD),
}


class Relay:
    """The running rig."""

    def __init__(self, port, upstream_port, bad, folder):
        self.port = port
        self.upstream_port = upstream_port
        self.bad = bad
        self.log = folder / "server.log"

    def session(self, model, *, path="/v1/realtime?model=", **options):
        """A client of the relay."""
        headers = {**KEY, **options.pop("headers", {})}
        return connected(
            self.port, f"{path}{model}", microphone=options.pop("microphone", False), headers=headers, **options
        )

    def seen(self, script):
        """What connections to a script were told, oldest first."""
        return [seen for name, seen in self.bad.seen if name == script]


@pytest.fixture(scope="session")
def relay(tmp_path_factory):
    loop, bad = Loop(), FaultyUpstream()
    loop.run(bad.__aenter__())
    above, below = tmp_path_factory.mktemp("above"), tmp_path_factory.mktemp("below")
    with running(grammar(above), UPSTREAM.format(ours=OURS), {}) as upstream_port:
        asyncio.run(_warm(upstream_port))
        providers = (provider("ours", upstream_port), provider("bad", bad.port), provider("old", upstream_port, BETA))
        routers = {name: pool(name, *models) for name, models in POOLS.items()}
        with running(
            below, server_file(*providers, extra=", {id: limited, secret: sk-limited-caller, rpm: 1}"), routers
        ) as port:
            yield Relay(port, upstream_port, bad, below)
    loop.run(bad.__aexit__(None, None, None))
    loop.stop()


BETA = 'realtime: {models: ["*"], dialect: beta}'


async def _warm(port):
    async with connected(
        port, "/v1/realtime?model=demo/fast", microphone=False, headers={"authorization": f"Bearer {OURS}"}
    ) as client:
        await client.until("session.created")
