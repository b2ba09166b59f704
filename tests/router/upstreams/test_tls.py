"""TLS of the lean transport: verified, and never anything less."""

import asyncio
import ssl

import pytest
import uvloop

from policies import Outcome, Timeouts
from router.tls_dev import dev_certificate
from router.upstreams.base import UpstreamFault
from router.upstreams.openai_http import OpenAIUpstream
from tests.router.upstreams.asking import call
from tests.router.upstreams.wire import OK, answer, wire


def tls_pair(tmp_path):
    certificate, key = dev_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(certificate))
    return server, client


async def test_a_certificate_that_does_not_fit_gets_no_request(tmp_path):
    server, client = tls_pair(tmp_path)
    async with wire(answer(OK), ssl=server) as seen:
        url = f"https://127.0.0.1:{seen.port}/v1"
        good = OpenAIUpstream(url, "k", allow_private=True, ssl_context=client)
        assert await (await good.send(call(Timeouts()))).body() == b"{}"
        await good.aclose()
        assert len(seen.requests) == 1
        unknown = OpenAIUpstream(url, "k", allow_private=True)
        with pytest.raises(UpstreamFault) as caught:
            await unknown.send(call(Timeouts()))
        assert caught.value.outcome is Outcome.TLS
        assert unknown.origin.pool.in_use == 0
        assert len(seen.requests) == 1
    async with wire(answer(OK), ssl=server, host="127.0.0.2") as seen:
        wrong_host = OpenAIUpstream(f"https://127.0.0.2:{seen.port}", "k", allow_private=True, ssl_context=client)
        with pytest.raises(UpstreamFault) as caught:
            await wrong_host.send(call(Timeouts()))
        assert caught.value.outcome is Outcome.TLS
        assert seen.requests == []


async def test_a_plain_port_and_a_silent_port_are_not_spoken_tls_with(tmp_path):
    _, client = tls_pair(tmp_path)

    async def silent(peer):
        await peer.gone()

    async with wire(silent) as seen:
        made = OpenAIUpstream(f"https://127.0.0.1:{seen.port}", "k", allow_private=True, ssl_context=client)
        with pytest.raises(UpstreamFault) as caught:
            await made.send(call())
        assert caught.value.outcome is Outcome.CONNECT_TIMEOUT


def test_tls_holds_on_uvloop_too(tmp_path):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(test_a_certificate_that_does_not_fit_gets_no_request(tmp_path)) is None
