"""The limits of voice sessions over real sockets: an error that says which, a clean close code, and room again after.

The server is the production one; only its file counts in seconds where the defaults count in minutes.
"""

import asyncio
import base64
import contextlib
import json
import time

import numpy as np
import pytest
import websockets

from .voice_rig import connected, running

SESSION_S, IDLE_S = 5.0, 1.2
SERVER = f"""
version: 1
records: {{url: null}}
auth:
  keys:
    - {{id: main, secret: main-secret-1}}
    - {{id: few, secret: few-secret-12, concurrent_sessions: 2}}
    - {{id: slow, secret: slow-secret-1, packets_per_second: 40}}
    - {{id: usual, secret: usual-secret-1}}
routers: [routers]
realtime:
  model: router/voice
  limits: {{session_minutes: {SESSION_S / 60}, idle_minutes: {IDLE_S / 60}}}
"""
ROUTERS = {"voice": "router: voice\ndefault: {id: default, variants: [{id: a, weight: 100, model: demo/fast}]}\n"}
INWORLD = "/api/v1/realtime/session?key=a&protocol=realtime"
QUIET = np.zeros(480)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with running(tmp_path_factory.mktemp("limits"), SERVER, ROUTERS) as port:
        yield port


def session(port, key="main", path="/v1/realtime?model=router/voice", **options):
    secrets = {"main": "main-secret-1", "few": "few-secret-12", "slow": "slow-secret-1", "usual": "usual-secret-1"}
    headers = {"authorization": f"Bearer {secrets[key]}"}
    return connected(port, path, headers=headers, **options)


async def closed(client):
    return (await client.until("closed", within_s=10))["code"]


def exceeded(client):
    return [error for error in client.of("error") if error["error"]["code"] == "rate_limit_exceeded"]


@pytest.mark.parametrize("path", ["/v1/realtime?model=router/voice", INWORLD])
async def test_a_session_ends_when_its_time_is_over_however_busy_it_is(port, path):
    async with session(port, path=path) as client:
        created = await client.until("session.created")
        began_s = client.when(created)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "count to ninety nine"}]}
        await asyncio.sleep(SESSION_S - 1.0)
        await client.send("conversation.item.create", item=item)
        await client.send("response.create")
        await client.until("response.created")
        error = await client.until("error")
        took_s = client.when(error) - began_s
        code = await closed(client)
        kinds = client.kinds()
    assert error["error"]["code"] == "session_expired"
    assert "maximum duration" in error["error"]["message"]
    assert code == 1001
    assert SESSION_S - 0.1 < took_s < SESSION_S + 1.5
    assert kinds.count("response.done") == kinds.count("response.created") == 1
    assert kinds.index("response.done") < kinds.index("error")
    assert kinds[-2:] == ["error", "closed"]


async def test_the_end_is_told_beforehand(port):
    async with session(port, microphone=False) as client:
        created = await client.until("session.created")
    assert abs(created["session"]["expires_at"] - time.time() - SESSION_S) < 4


async def test_a_client_that_says_nothing_is_sent_away_and_one_that_does_is_not(port):
    async with session(port, microphone=False) as silent, session(port) as speaking:
        error = await silent.until("error")
        code = await closed(silent)
        await speaking.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        await speaking.until("session.updated")
    assert error["error"]["code"] == "session_idle_timeout"
    assert "Nothing came from the client" in error["error"]["message"]
    assert code == 1000


async def test_a_key_has_its_sessions_back_when_they_are_over(port):
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            client = await stack.enter_async_context(session(port, "few", microphone=False))
            await client.until("session.created")
        async with session(port, "few", microphone=False) as late:
            error = await late.until("error")
            assert await closed(late) == 1008
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with session(port, "few", INWORLD):
                pass
        async with session(port, "main", microphone=False) as other:
            await other.until("session.created")
    assert error["error"]["code"] == "rate_limit_exceeded"
    assert "2 realtime sessions" in error["error"]["message"]
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["retry-after"] == "1"
    async with session(port, "few", microphone=False) as again:
        await again.until("session.created")


async def test_the_events_of_all_sessions_of_a_key_count_together_and_nothing_is_lost(port):
    async with (
        session(port, "slow", microphone=False) as one,
        session(port, "slow", microphone=False) as two,
        session(port, "main", microphone=False) as other,
    ):
        for _ in range(30):  # each alone would be within the 40 of a second
            await one.append(QUIET)
            await two.append(QUIET)
        for client in (one, two, other):
            await client.send("input_audio_buffer.commit")
        await other.until("error")  # its buffer is empty, and that is all
        committed = [await client.until("input_audio_buffer.committed") for client in (one, two)]
        items = [await client.until("conversation.item.added") for client in (one, two)]
    assert len(committed) == len(items) == 2
    assert exceeded(one) or exceeded(two)
    assert not exceeded(other)


async def test_the_usual_allowance_is_a_thousand_a_second(port):
    frame = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(4)).decode()})
    async with session(port, "usual", microphone=False) as client:
        await client.until("session.created")
        for count, said, too_many in ((900, "Now.", False), (2600, "Then.", True)):
            for _ in range(count):
                await client.socket.send(frame)
            await client.send("session.update", session={"type": "realtime", "instructions": said})
            updated = await client.until("session.updated", within_s=20)
            assert updated["session"]["instructions"] == said
            assert bool(exceeded(client)) is too_many
        assert exceeded(client)[0]["error"]["type"] == "rate_limit_error"
