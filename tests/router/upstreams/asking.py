"""One call over the lean transport to a raw peer, and what came of it."""

import contextlib

import pytest

from policies import Target, Timeouts
from router.upstreams.base import Call, UpstreamFault
from router.upstreams.openai_http import OpenAIUpstream
from tests.router.upstreams.wire import wire

QUICK = Timeouts(connect_s=0.5, first_token_s=0.3, idle_s=0.2, total_s=5)


def call(timeouts=QUICK, **fields):
    return Call(Target("mine", "m"), "/chat/completions", b"{}", None, stream=False, timeouts=timeouts, **fields)


@contextlib.asynccontextmanager
async def upstream(port, **options):
    made = OpenAIUpstream(f"http://127.0.0.1:{port}/v1", "secret-key", allow_private=True, **options)
    try:
        yield made
    finally:
        await made.aclose()


async def ask(script, timeouts=QUICK, **options):
    async with wire(script) as seen, upstream(seen.port, **options) as made:
        reply = await made.send(call(timeouts))
        try:
            return reply.status, await reply.body()
        finally:
            reply.close()
            assert made.origin.pool.in_use == 0


async def fault(script, timeouts=QUICK, **options):
    with pytest.raises(UpstreamFault) as caught:
        await ask(script, timeouts, **options)
    assert "secret-key" not in repr(caught.value) + caught.value.message
    return caught.value.outcome
