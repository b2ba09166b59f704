"""The line to a provider: whom the guard lets us dial, what a refusal is called, what a reload leaves alone."""

import asyncio
import socket

import pytest
from pydantic import SecretStr

from policies import Outcome, Target, Timeouts, Try
from realtime.relay.upstream import RealtimeUpstream, RealtimeUpstreams
from router.config.models import Provider, ProviderRealtime
from router.upstreams.base import UpstreamFault

from .rig import FaultyUpstream, event

LIMITS = Timeouts(connect_s=0.5, first_token_s=0.5)


def provider(port, **more):
    return Provider(**{"base_url": f"http://127.0.0.1:{port}/v1", "allow_private": True, **more})


def step(script="good"):
    return Try(Target("mine", script, kind="realtime"), LIMITS)


async def fault_of(upstream, script="good"):
    with pytest.raises(UpstreamFault) as caught:
        await upstream.connect(step(script))
    await upstream.aclose()
    return caught.value


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/v1", "http://169.254.169.254/v1", "http://10.0.0.1/v1"])
async def test_the_guard_stands_before_this_door_too(address):
    fault = await fault_of(RealtimeUpstream("mine", Provider(base_url=address)))
    assert fault.outcome == Outcome.CONNECT_REFUSED
    assert "guard" in fault.message


async def test_nobody_there_and_somebody_who_refuses_have_their_names():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert (
            await fault_of(RealtimeUpstream("mine", provider(closed.getsockname()[1])))
        ).outcome == "connect_refused"
    async with FaultyUpstream() as there:
        for script, outcome in (
            ("refuse-401", "upstream_auth"),
            ("refuse-429", "rate_limited"),
            ("never", "connect_timeout"),
        ):
            fault = await fault_of(RealtimeUpstream("mine", provider(there.port)), script)
            assert fault.outcome == outcome


async def test_a_line_sends_receives_and_ends():
    async with FaultyUpstream() as there:
        upstream = RealtimeUpstream(
            "mine", provider(there.port, api_key=SecretStr("sk-mine"), headers={"x-team": "voice"})
        )
        line = await upstream.connect(step("asked__1011"))
        assert b"session.created" in await line.receive()
        await line.send(event("response.create").encode())
        assert b"sorry" in await line.receive()
        with pytest.raises(UpstreamFault) as caught:
            await line.receive()
        assert caught.value.outcome == Outcome.HTTP_5XX
        await line.send(b"{}")
        await line.close()
        await line.close()
        await upstream.aclose()
    assert there.headers[0]["authorization"] == "Bearer sk-mine"
    assert there.headers[0]["x-team"] == "voice"


async def test_a_line_that_is_given_up_says_why():
    async with FaultyUpstream() as there:
        upstream = RealtimeUpstream("mine", provider(there.port))
        line = await upstream.connect(step())
        await line.receive()
        why = UpstreamFault(Outcome.IDLE_TIMEOUT, "too quiet")
        reading = asyncio.ensure_future(line.receive())
        await asyncio.sleep(0)
        await line.fail(why)
        with pytest.raises(UpstreamFault, match="too quiet"):
            await reading
        await upstream.aclose()


async def test_sessions_at_once_are_bounded_by_the_provider():
    async with FaultyUpstream() as there:
        upstream = RealtimeUpstream("mine", provider(there.port, max_inflight=1))
        line = await upstream.connect(step())
        with pytest.raises(UpstreamFault) as caught:
            await upstream.connect(step())
        assert caught.value.outcome == Outcome.ROUTER_OVERLOADED
        await line.close()
        await (await upstream.connect(step())).close()
        await upstream.aclose()


async def test_a_provider_that_stays_as_it_was_keeps_its_upstream():
    declared = {"mine": provider(9, realtime=ProviderRealtime(dialect="beta")), "other": Provider(kind="litellm")}
    upstreams = RealtimeUpstreams(lambda: declared)
    first = upstreams.of(step().target)
    assert first.beta
    declared["mine"] = provider(9, realtime=ProviderRealtime(dialect="beta"))
    assert upstreams.of(step().target) is first
    declared["mine"] = provider(9)
    assert upstreams.of(step().target) is not first
    for name in ("other", "nobody"):
        with pytest.raises(UpstreamFault) as caught:
            upstreams.of(Target(name, "m"))
        assert caught.value.outcome == Outcome.MODEL_NOT_FOUND
    await upstreams.aclose()
