"""Relayed sessions end to end: client, relay, and a realtime upstream behind it, each in a process of its own."""

import asyncio
import json
import time

import openai
import pytest
from openai.types.realtime import RealtimeServerEvent

from tests.compat.common.openai_types import Judge
from tests.realtime.voice_rig import resampled, words

from .rig import OURS

SAID = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say hello world"}]}
TOOL = {"type": "function", "name": "get_weather", "description": "weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}  # fmt: skip


async def told(client, **settings):
    """A session that has been told what to be."""
    await client.until("session.created")
    await client.send("session.update", session={"type": "realtime", "output_modalities": ["text"], **settings})
    await client.until("session.updated")


async def asked(client, text="say hello world"):
    await client.send("conversation.item.create", item={**SAID, "content": [{"type": "input_text", "text": text}]})
    await client.send("response.create")


def attempts(response):
    found = (response["metadata"] or {}).get("attempts", "[]")
    return json.loads(found) if isinstance(found, str) else found


def outcomes(response):
    return [(one["model"], one["outcome"]) for one in attempts(response)]


async def test_the_sdk_talks_through_the_relay_and_every_event_is_of_its_types(relay, caller):
    judge = Judge(RealtimeServerEvent)
    client = openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{relay.port}/v1", api_key="sk-callers-own")
    async with client.realtime.connect(model="ours/demo/fast") as connection:

        async def until(kind):
            while True:
                raw = json.loads(await asyncio.wait_for(connection.recv_bytes(), 20))
                judge.look(raw)
                assert raw["type"] != "error", raw
                if raw["type"] == kind:
                    return raw

        detection = {"type": "server_vad", "silence_duration_ms": 400}
        hears = {"turn_detection": detection, "transcription": {"model": "local/pocketsphinx"}}
        await until("session.created")
        await connection.session.update(session={"type": "realtime", "tools": [TOOL], "audio": {"input": hears}})
        assert (await until("session.updated"))["session"]["tools"][0]["name"] == "get_weather"
        await connection.conversation.item.create(item=SAID)
        await connection.response.create(response={"output_modalities": ["text"]})
        assert words((await until("response.done"))["response"]) == "hello world"
        await connection.conversation.item.create(
            item={**SAID, "content": [{"type": "input_text", "text": "what is the weather in paris"}]}
        )
        await connection.response.create(response={"tool_choice": "required"})
        [call] = (await until("response.done"))["response"]["output"]
        assert json.loads(call["arguments"]) == {"city": "paris"}
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        await connection.conversation.item.create(item=item)
        await connection.response.create(response={"output_modalities": ["text"]})
        assert "sunny" in words((await until("response.done"))["response"])
        sound = resampled(caller("count to five"), 16_000, 24_000).astype("<i2").tobytes() + bytes(48_000)
        for at in range(0, len(sound), 4800):
            await connection.input_audio_buffer.append(audio=base64(sound[at : at + 4800]))
        heard = await until("conversation.item.input_audio_transcription.completed")
        assert heard["transcript"].strip() == "count to five"
        spoken = (await until("response.done"))["response"]
        assert words(spoken) == "one, two, three, four, five."
        assert outcomes(spoken) == [("ours/demo/fast", "success")]
        assert attempts(spoken)[0]["stage"] == "realtime"
    assert judge.wrong == []
    assert {"response.output_audio.delta", "input_audio_buffer.speech_started"} <= judge.seen


def base64(data):
    return __import__("base64").b64encode(data).decode()


@pytest.mark.parametrize("name", ["refused", "unknown", "unfriendly"])
async def test_an_upstream_that_refuses_is_replaced_before_the_client_notices(relay, name):
    async with relay.session(f"router/{name}") as client:
        await told(client)
        await asked(client)
        response = await client.done()
    assert words(response) == "hello world"
    assert [success for _, success in outcomes(response)][1:] == ["success"]
    assert client.of("error") == []


async def test_an_upstream_that_never_answers_is_given_up_within_its_time(relay):
    began_s = time.monotonic()
    async with relay.session("router/hanging") as client:
        await told(client)
        took_s = time.monotonic() - began_s
        await asked(client)
        response = await client.done()
    assert [outcome for _, outcome in outcomes(response)] == ["connect_timeout", "first_token_timeout", "success"]
    assert took_s < 1.2 * 2 + 1.5, "two limits of 1.2 s, and a little"


async def test_the_provider_gets_our_key_and_nothing_of_the_clients(relay):
    async with relay.session("bad/good__key", headers={"cookie": "a=b", "x-secret": "mine"}) as client:
        await client.until("session.created")
    sent = {name.lower(): value for name, value in relay.bad.headers[-1].items()}
    assert sent["authorization"] == f"Bearer {OURS}"
    assert not {"cookie", "x-secret"} & sent.keys()


async def test_nobody_left_is_one_error_and_a_close_code(relay):
    began_s = time.monotonic()
    async with relay.session("router/nobody") as client:
        async with asyncio.timeout(5):
            while client.kinds()[-1:] != ["closed"]:
                await asyncio.sleep(0.01)
    assert client.kinds() == ["error", "closed"]
    assert client.events[-1]["code"] == 1011
    assert "bad/refuse-503" in client.events[0]["error"]["message"]
    assert time.monotonic() - began_s < 2


async def test_an_upstream_that_dies_young_is_replaced_without_a_word(relay):
    async with relay.session("router/young") as client:
        await told(client)
        await asyncio.sleep(0.5)
        await asked(client)
        response = await client.done()
    assert words(response) == "hello world"
    assert outcomes(response) == [("bad/young__1011", "http_5xx"), ("ours/demo/fast", "success")]
    assert len(client.of("session.created")) == 1
    assert client.of("error") == []


async def test_a_response_that_had_not_begun_is_asked_for_again_elsewhere(relay):
    async with relay.session("router/asked") as client:
        await told(client)
        await asyncio.sleep(1.1)
        await asked(client, "something to remember")
        response = await client.done()
    assert response["status"] == "completed"
    assert outcomes(response) == [("bad/asked__1011", "http_5xx"), ("bad/good__asked", "success")]
    [seen] = relay.seen("good__asked")
    assert [one["type"] for one in seen] == ["session.update", "conversation.item.create", "response.create"]
    assert seen[1]["item"]["content"][0]["text"] == "something to remember"
    assert [one["error"]["code"] for one in client.of("error")] == ["server_error", "upstream_changed"]


async def test_a_response_in_the_middle_ends_as_failed_and_the_session_goes_on(relay):
    async with relay.session("router/begun") as client:
        await told(client)
        await asked(client)
        failed = await client.done()
        died_s = time.monotonic()
        moved = await client.until("error", within_s=2)
        while moved["error"]["code"] != "upstream_changed":
            moved = await client.until("error", within_s=2)
        swap_s = time.monotonic() - died_s
        await client.send("response.create")
        after = await client.done()
    assert (failed["status"], words(failed)) == ("failed", "half of ")
    assert failed["status_details"]["error"]["code"] == "server_error"
    assert outcomes(failed) == [("bad/begun__1008", "in_band_error")]
    assert after["status"] == "completed"
    assert [success for _, success in outcomes(after)] == ["in_band_error", "success"]
    [seen] = relay.seen("good__begun")
    assert [one["item"].get("role") for one in seen if one["type"] == "conversation.item.create"] == [
        "user",
        "assistant",
    ]
    assert swap_s < 1
    done = {item["item"]["id"] for item in client.of("response.output_item.done")}
    assert {item["item"]["id"] for item in client.of("response.output_item.added")} == done


async def test_an_upstream_that_owes_a_response_and_says_nothing_is_left(relay):
    async with relay.session("router/silent") as client:
        await told(client)
        await asked(client)
        response = await client.done()
    assert [outcome for _, outcome in outcomes(response)] == ["idle_timeout", "success"]


async def test_no_sound_is_lost_when_the_upstream_dies_while_the_user_speaks(relay):
    async with relay.session("router/dropped") as client:
        await told(client)
        sounds = [base64(bytes([n]) * 960) for n in range(60)]
        for sound in sounds:
            await client.send("input_audio_buffer.append", audio=sound)
            await asyncio.sleep(0.005)
        await client.send("input_audio_buffer.commit")
        await client.until("input_audio_buffer.committed")
        await client.send("response.create")
        assert (await client.done())["status"] == "completed"
    [seen] = relay.seen("good__dropped")
    assert [one["audio"] for one in seen if one["type"] == "input_audio_buffer.append"] == sounds


async def test_whatever_an_upstream_says_the_session_lives_on(relay):
    async with relay.session("router/noisy") as client:
        await client.until("session.created")
        await client.send("response.create")
        await client.until("response.done", within_s=10)
        await client.send("input_audio_buffer.append", audio="AAAA")
        response = await answered(client)
    assert response["status"] == "completed"


async def answered(client):
    await client.send("response.create")
    return await client.done()


async def test_a_pool_may_end_with_a_model_whose_words_are_spoken_here(relay):
    async with relay.session("router/mixed") as client:
        await told(client)
        await asked(client)
        response = await client.done()
    assert words(response) == "hello world"
    assert [one["stage"] for one in attempts(response)] == ["llm"]


async def test_a_pool_that_begins_with_such_a_model_is_not_relayed(relay):
    async with relay.session("router/written") as client:
        await told(client)
        await asked(client)
        response = await client.done()
    assert outcomes(response) == [("demo/fast", "success")]


async def test_a_relayed_session_keeps_its_model(relay):
    async with relay.session("ours/demo/fast") as client:
        await told(client, model="ours/demo/fast")
        await client.send("session.update", event_id="mine", session={"type": "realtime", "model": "demo/smart"})
        error = (await client.until("error"))["error"]
        assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "session.model", "mine")
        await asked(client)
        assert (await client.done())["status"] == "completed"


async def test_a_session_of_words_cannot_become_a_relayed_one(relay):
    async with relay.session("demo/fast") as client:
        await told(client)
        await client.send("session.update", session={"type": "realtime", "model": "ours/demo/fast"})
        error = (await client.until("error"))["error"]
    assert "connect anew" in error["message"]


async def test_inworlds_address_lists_the_attempts(relay):
    path = "/api/v1/realtime/session?key=x&protocol=realtime&model="
    async with relay.session("ours/demo/fast", path=path) as client:
        await told(client)
        await asked(client)
        response = await client.done()
    assert response["metadata"]["attempts"][0]["model"] == "ours/demo/fast"


async def test_a_hundred_sessions_whose_upstream_dies_young_all_live(relay):
    async def one(number):
        await asyncio.sleep(number / 100)
        async with relay.session("router/cut") as client:
            await client.until("session.created", within_s=30)
            await asyncio.sleep(0.6)
            await asked(client)
            response = await client.done(within_s=30)
            return response["status"], len(client.of("session.created")), client.of("error")

    ended = await asyncio.gather(*(one(number) for number in range(100)))
    whole = [end for end in ended if end == ("completed", 1, [])]
    assert len(whole) >= 99


async def test_auto_means_a_model_that_writes(relay):
    async with relay.session("auto") as client:
        await told(client)
        await asked(client)
        response = await client.done()
    assert [one["stage"] for one in attempts(response)] == ["llm"]
