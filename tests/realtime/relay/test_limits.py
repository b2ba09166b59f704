"""What holds for every voice session holds for relayed ones: limits, drain, client secrets, dialects, back-pressure."""

import asyncio
import json
import time

import httpx
import pytest

from tests.realtime import voice_rig
from tests.realtime.voice_rig import connected, running, words

from .rig import KEY, FaultyUpstream, provider, server_file
from .test_session import asked, told

HASTY = "  limits: {session_minutes: 0.05, idle_minutes: 0.02}\n"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory, relay):
    folder = tmp_path_factory.mktemp("hasty")
    text = server_file(provider("bad", relay.bad.port)).replace("  limits: {concurrent_sessions: 400}\n", HASTY)
    with running(folder, text, {}) as port:
        yield port


def talk(port, model, headers=KEY, **options):
    return connected(port, f"/v1/realtime?model={model}", microphone=False, headers=headers, **options)


async def test_a_session_ends_when_its_time_is_over_however_busy_it_is(hasty):
    async with talk(hasty, "bad/good__limit") as client:
        created = await client.until("session.created")
        for _ in range(40):
            await client.send("input_audio_buffer.append", audio="AAAA")
            await asyncio.sleep(0.1)
            if client.kinds()[-1] == "closed":
                break
        closed = await client.over()
    assert (closed["code"], client.events[-2]["error"]["code"]) == (1001, "session_expired")
    assert created["session"]["id"]


async def test_a_client_that_says_nothing_is_sent_away(hasty):
    async with talk(hasty, "bad/good__quiet") as client:
        closed = await client.over()
    assert (closed["code"], client.events[-2]["error"]["code"]) == (1000, "session_idle_timeout")


async def test_a_response_under_way_is_ended_before_the_session_is(hasty):
    async with talk(hasty, "bad/halting") as client:
        await client.until("session.created")
        await client.send("response.create")
        await client.until("response.created")
        await client.over()
    assert client.kinds()[-3:] == ["response.done", "error", "closed"]


async def test_a_server_that_ends_lets_the_response_end_first(tmp_path, relay):
    async with FaultyUpstream() as upstream:
        with running(tmp_path, server_file(provider("bad", upstream.port)), {}) as port:
            async with talk(port, "bad/slowly") as busy, talk(port, "bad/good") as idle:
                for client in (busy, idle):
                    await client.until("session.created")
                await busy.send("response.create")
                await busy.until("response.created")
                voice_rig.end()
                assert (await idle.over())["code"] == 1001
                assert (await busy.done())["status"] == "completed"
                assert (await busy.over())["code"] == 1001


async def test_a_key_that_has_used_up_its_requests_is_told_and_the_response_taken_back(relay):
    key = {"authorization": "Bearer sk-limited-caller"}
    async with relay.session("bad/good__limited", headers=key) as client:
        await client.until("session.created")
        await client.send("response.create")
        assert (await client.done())["status"] == "completed"
        await client.send("response.create")
        error = (await client.until("error"))["error"]
        assert error["type"] == "rate_limit_error"
        [seen] = relay.seen("good__limited")
        async with asyncio.timeout(5):
            while seen[-1]["type"] != "response.cancel":  # on its way
                await asyncio.sleep(0.01)
                [seen] = relay.seen("good__limited")


async def test_a_wrong_key_and_an_unknown_model_are_refused_as_ever(relay):
    async with relay.session("ours/demo/fast", headers={"authorization": "Bearer sk-wrong-one"}) as client:
        assert (await client.over())["code"] == 3000
    async with relay.session("nobody/gpt-realtime") as client:
        assert (await client.over())["code"] == 4000


async def test_a_client_secret_begins_the_session_it_stands_for(relay):
    session = {"type": "realtime", "model": "ours/demo/fast", "output_modalities": ["text"], "instructions": "be odd"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{relay.port}", trust_env=False) as http:
        answer = await http.post("/v1/realtime/client_secrets", json={"session": session}, headers=KEY)
    secret = answer.json()["value"]
    headers = {"authorization": f"Bearer {secret}"}
    async with connected(relay.port, "/v1/realtime", microphone=False, headers=headers) as client:
        updated = await client.until("session.updated")
        assert (updated["session"]["instructions"], updated["session"]["output_modalities"]) == ("be odd", ["text"])
        await asked(client)
        assert words(await client.done()) == "hello world"


async def test_a_beta_client_talks_to_an_upstream_of_today(relay):
    async with relay.session("ours/demo/fast", headers={"openai-beta": "realtime=v1"}) as client:
        created = await client.until("session.created")
        assert "modalities" in created["session"]
        await client.send("session.update", session={"modalities": ["text"], "temperature": 0.8})
        await client.until("session.updated")
        await asked(client)
        done = await client.done()
    assert words(done) == "hello world"
    assert {"response.text.delta", "conversation.item.created"} <= set(client.kinds())
    assert not [kind for kind in client.kinds() if "output_text" in kind or kind == "conversation.item.done"]


async def test_a_client_of_today_talks_to_a_beta_upstream(relay):
    async with relay.session("old/demo/fast") as client:
        await told(client, instructions="be brief")
        await asked(client)
        done = await client.done()
    assert words(done) == "hello world"
    assert {"response.output_text.delta", "conversation.item.added"} <= set(client.kinds())


async def test_who_does_not_read_is_not_read_from(relay):
    async with relay.session("bad/flooding", max_queue=1) as client:
        await client.until("session.created")
        client.socket.transport.pause_reading()
        before = -1
        async with asyncio.timeout(15):
            while before != relay.bad.flooded_bytes:
                before = relay.bad.flooded_bytes
                await asyncio.sleep(0.5)
        assert 0 < before < 24 * 2**20, "of 64 MiB that it would have said"
        client.socket.transport.resume_reading()


async def test_an_upstream_that_does_not_read_holds_its_client_up_and_is_left(relay):
    async with relay.session("router/deafened") as client:
        await client.until("session.created")
        frame = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 60_000})
        began_s = time.monotonic()
        for _ in range(400):
            await client.socket.send(frame)
        assert time.monotonic() - began_s > 1, "24 MB went into nobody's ear without a pause"
        changed = await client.until("error")
        assert changed["error"]["code"] == "upstream_changed"
        await client.send("response.create")
        assert (await client.done())["status"] == "completed"


async def test_what_the_relay_counts_is_there(relay):
    began_s = time.monotonic()
    async with relay.session("bad/good__counted") as client:
        await client.until("session.created")
        await client.send("response.create")
        await client.done()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{relay.port}", trust_env=False, headers=KEY) as http:
        while time.monotonic() - began_s < 5:
            [*found] = [
                one
                for one in (await http.get("/v1/router/requests?limit=50")).json()["data"]
                if one["decision"]["requested"] == "bad/good__counted"
            ]
            if found:
                break
        metrics = (await http.get("/metrics")).text
    [record] = found
    assert (record["kind"], record["outcome"], record["tokens"]) == ("realtime", "success", {"input": 7, "output": 5})
    assert 'rr_voice_attempts_total{outcome="success",stage="realtime"' in metrics
    assert 'rr_voice_turns_total{outcome="answered"}' in metrics
    assert '"turn"' in relay.log.read_text() or " turn session_id=" in relay.log.read_text()


METERED = """, {id: spent, secret: sk-spent-caller, budget_usd_per_day: 0.01}
  , {id: cut, secret: sk-cut-caller, budget_usd_per_day: 0.01}
  , {id: gone, secret: sk-gone-caller, budget_usd_per_day: 0.01}
  , {id: mute, secret: sk-mute-caller, budget_usd_per_day: 0.01}
  , {id: full, secret: sk-full-caller, tpm: 300}"""
PRICES = "".join(
    f'  "bad/{model}": {{input: 1000, output: 1000}}\n' for model in ("good", "begun", "halting", "asked__1011")
)


@pytest.fixture(scope="module")
def metered(tmp_path_factory, relay):
    folder = tmp_path_factory.mktemp("metered")
    text = server_file(provider("bad", relay.bad.port), extra=METERED) + "prices:\n" + PRICES
    with running(folder, text, {}) as port:
        yield port


@pytest.mark.parametrize(
    ("key", "first", "code"),
    [
        ("spent", "good", "insufficient_quota"),  # what it used
        ("cut", "begun", "insufficient_quota"),  # its upstream died in the middle: by estimate
        ("gone", "halting", "insufficient_quota"),  # its caller left in the middle: by estimate
        ("mute", "asked__1011", None),  # it never said a word
        ("full", "good", None),  # 256 tokens reserved, 12 used
        ("full", "halting", "rate_limit_exceeded"),  # and kept, as nobody knows
    ],
)
async def test_what_a_relayed_response_used_is_booked_on_its_key(metered, key, first, code):
    headers = {"authorization": f"Bearer sk-{key}-caller"}
    async with talk(metered, f"bad/{first}", headers=headers) as client:
        await client.until("session.created")
        await client.send("response.create")
        if first == "halting":
            await client.until("response.output_audio.delta")
        elif first == "good":
            assert (await client.done())["usage"]["total_tokens"] == 12
        elif first == "begun":
            assert (await client.done())["status"] == "failed"
        else:
            await client.over()
    async with talk(metered, "bad/good", headers=headers) as client:
        await client.until("session.created")
        await client.send("response.create")
        await client.until("response.done" if code is None else "error")
    assert [event["error"]["code"] for event in client.of("error")] == [code] * (code is not None)
