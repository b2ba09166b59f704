"""The proxy in front of a real router: demo and scripted providers, three routers, two keys."""

import asyncio
import contextlib
import socket
import threading

import httpx
import uvicorn

from policies import (
    Condition,
    Limits,
    ModelChoice,
    Policy,
    Prices,
    Route,
    RoutingTable,
    Target,
    Targets,
    Timeouts,
    Variant,
)
from router import Router, State
from router.proxy import Access, Caps, Gauges, Key, MemoryShelf, create_app
from router.upstreams.demo import DemoUpstream
from router.upstreams.scripted import ScriptedUpstream

KNOWN = [Target("demo", "fast", prices=Prices(1e-6, 2e-6)), Target("demo", "smart"), Target("scripted", "ok")]
KEYS = (Key("web", "secret-web"), Key("ops", "secret-ops", write=True))


def variant(name, weight, model="demo/fast", *fallbacks, **more):
    return Variant(name, weight, ModelChoice(model, fallbacks=fallbacks), **more)


def policies():
    premium = Route("premium", (variant("vip", 100),), Condition('tier == "premium"'))
    split = Route("split", (variant("a", 50), variant("b", 50)))
    down = Route("down", (variant("only", 100, "demo/down", "demo/fast"),))
    return (
        Policy("support", routes=(premium,), default=split),
        Policy("strict", routes=(premium,)),
        Policy("rescued", default=down),
    )


def table(*more):
    limits = Limits(timeouts=Timeouts(first_token_s=5, idle_s=5, total_s=20))
    return RoutingTable(Targets(["demo", "scripted"], KNOWN), (*policies(), *more), limits=limits)


def house(*, keys=KEYS, caps=None, records=None):
    """(app, scripted upstream): everything real but the providers."""
    scripted = ScriptedUpstream()
    state = State(table(), {"demo": DemoUpstream(), "scripted": scripted}, configuration_hash="cafe")
    router = Router(state, observers=[records] if records is not None else [])
    shelf = MemoryShelf({}, lambda _routers: None)
    gauges = Gauges(records=records)
    return create_app(router, access=Access(keys=keys), caps=caps or Caps(), gauges=gauges, shelf=shelf), scripted


@contextlib.asynccontextmanager
async def visitor(app, key="secret-web"):
    transport = httpx.ASGITransport(app.asgi, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@contextlib.contextmanager
def served(app):
    """The application behind a real uvicorn on a loopback port, in a thread; gives the base URL."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app.asgi, log_level="error", lifespan="off", loop="asyncio", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[sock])), daemon=True)
    thread.start()
    while not server.started:
        threading.Event().wait(0.005)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        sock.close()
