"""The same faults over real sockets, through our own transport: what the client gets, what the log saw."""

import asyncio
import time

import pytest

from policies import Limits, RoutingTable, Targets, Timeouts
from router import Refusal, Router, State
from router.upstreams.openai_http import OpenAIUpstream
from router.upstreams.scripted import CANONICAL, ScriptedServer

from .house import MESSAGES, Heard, drained

LIMITS = Timeouts(connect_s=0.5, first_token_s=0.4, idle_s=0.2, total_s=5.0, answer_s=0.4)


class Street:
    """A scripted server on loopback and a router that knows it as the provider `east`."""

    def __init__(self, **limits):
        self.server = ScriptedServer(time_scale=0.02, gap_s=0.05)
        self.limits = Limits(**{"timeouts": LIMITS, **limits})

    async def __aenter__(self):
        await self.server.__aenter__()
        self.upstream = OpenAIUpstream(self.server.base_url, "sk-secret", allow_private=True)
        table = RoutingTable(Targets(("east",)), limits=self.limits)
        self.router = Router(State(table, {"east": self.upstream}))
        return self

    async def __aexit__(self, *details):
        await self.upstream.aclose()
        await self.server.__aexit__(*details)

    def document(self, *models, **fields):
        first, *others = [f"east/{model}" for model in models]
        return {"model": first, "models": others, "messages": MESSAGES, **fields}

    async def heard(self, *models, **fields):
        stream = await self.router.stream(self.document(*models, stream=True, **fields))
        return Heard(await drained(stream), stream.record)

    def logged(self, record):
        return [attempt.target.model for attempt in record.attempts] == self.server.journal.models()


FAULTS = [
    "500",
    "503",
    "429",
    "auth",
    "context",
    "html",
    "error-json",
    "reset",
    "close",
    "hang",
    "empty",
    "null-content",
    "cut-0",
    "redirect",
    "big-headers",
    "deep-json",
    "bomb-gzip",
    "wrong-encoding",
    "huge-json",
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_json_falls_back_and_the_record_is_true(fault):
    async with Street() as street:
        completion = await street.router.complete(street.document(fault, "ok"))
        assert completion.document["choices"][0]["message"]["content"] == CANONICAL
        assert [attempt.success for attempt in completion.record.attempts] == [False, True]
        assert street.logged(completion.record)
        assert b"sk-secret" not in completion.body


@pytest.mark.parametrize("fault", [*FAULTS, "role-then-die", "error-first", "comments-only", "endless-line"])
async def test_a_stream_falls_back_before_its_first_delta(fault):
    async with Street() as street:
        heard = await street.heard(fault, "ok")
        assert heard.text == CANONICAL
        assert heard.done
        assert [attempt.success for attempt in heard.record.attempts] == [False, True]
        assert street.logged(heard.record)


@pytest.mark.parametrize(
    ("fault", "outcomes"),
    [
        ("cut-40", {"truncated"}),
        ("reset-40", {"reset_after_commit", "truncated"}),
        ("stall-20", {"idle_timeout"}),
        ("error-20", {"in_band_error"}),
    ],
)
async def test_a_stream_that_breaks_is_one_error_and_exactly_what_was_sent(fault, outcomes):
    async with Street() as street:
        heard = await street.heard(fault, "ok")
        assert CANONICAL.startswith(heard.text)
        assert len(heard.text.split()) == int(fault.split("-")[1])
        assert not heard.done
        assert [error["code"] for error in heard.errors] == ["stream_interrupted"]
        assert heard.record.attempts[0].outcome.value in outcomes
        assert street.logged(heard.record)


@pytest.mark.parametrize("fault", ["cut-40", "reset-40", "stall-20", "error-20"])
async def test_a_stream_that_breaks_is_completed_elsewhere_when_asked_for(fault):
    async with Street(on_interrupt="continue") as street:
        heard = await street.heard(fault, "ok")
        assert heard.text == CANONICAL
        assert heard.done
        assert street.logged(heard.record)


@pytest.mark.parametrize("fault", ["malformed-20", "no-done-close", "odd-sse", "late", "choice-7"])
async def test_an_odd_stream_is_complete(fault):
    async with Street() as street:
        heard = await street.heard(fault)
        assert heard.text == CANONICAL
        assert heard.done


async def test_a_connection_is_used_again_after_a_stream():
    async with Street() as street:
        for _ in range(3):
            await street.heard("ok")
        assert len(street.server.connections) == 1


async def test_nobody_listening_is_a_clear_502():
    async with Street() as street:
        upstream = OpenAIUpstream("http://127.0.0.1:1/v1", allow_private=True)
        street.router.replace(State(street.router.state.table, {"east": upstream}))
        with pytest.raises(Refusal) as refused:
            await street.router.complete(street.document("ok"))
        assert (refused.value.status, refused.value.code) == (502, "upstream_unreachable")
        await upstream.aclose()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_hangs_up_closes_the_upstreams_connection_within_a_tenth_of_a_second(stream):
    async with Street(timeouts=Timeouts()) as street:
        model = "slow-stream" if stream else "hang"
        call = street.heard(model, "ok") if stream else street.router.complete(street.document(model, "ok"))
        asking = asyncio.ensure_future(call)
        await asyncio.sleep(0.05)
        began = time.perf_counter()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while not street.server.journal.seen[0].client_gone:
            await asyncio.sleep(0.002)
            assert time.perf_counter() - began < 0.1
        assert street.server.journal.models() == [model]
        assert set(street.router.health.in_flight().values()) == {0}


async def test_a_cancelled_call_rests_nobody():
    async with Street(timeouts=Timeouts()) as street:
        for _ in range(6):
            asking = asyncio.ensure_future(street.router.complete(street.document("hang")))
            await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        plan = street.router.decide(street.document("hang")).plan
        assert [candidate.skipped for candidate in plan.candidates] == [None]
