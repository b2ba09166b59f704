"""A real upstream is killed in the middle of a call, and another real one goes on with what was said."""

import asyncio
import json

from tests.realtime.voice_rig import connected, grammar, running, words

from .conftest import UPSTREAM
from .rig import KEY, OURS, pool, provider, server_file
from .test_session import asked, outcomes, told


async def test_the_next_upstream_knows_what_was_said_to_the_one_that_was_killed(tmp_path, relay):
    first, below = tmp_path / "first", tmp_path / "below"
    for folder in (first, below):
        folder.mkdir()
    with running(grammar(first), UPSTREAM.format(ours=OURS), {}) as first_port:
        process = running.last
        headers = {"authorization": f"Bearer {OURS}"}
        async with connected(first_port, "/v1/realtime?model=demo/fast", microphone=False, headers=headers) as client:
            await client.until("session.created")
        providers = (provider("first", first_port), provider("second", relay.upstream_port))
        routers = {"two": pool("two", "first/demo/fast", "second/demo/fast")}
        with running(below, server_file(*providers), routers) as port:
            async with connected(port, "/v1/realtime?model=router/two", microphone=False, headers=KEY) as client:
                await told(client)
                await asked(client, "my name is john")
                assert (await client.done())["status"] == "completed"
                await client.send("conversation.item.create", item=_question("what is my name"))
                await client.until("conversation.item.done")
                await asyncio.sleep(1.1)  # it has held for longer than what is passed over in silence
                process.kill()
                while (await client.until("error"))["error"]["code"] != "upstream_changed":
                    pass
                await client.send("response.create")
                response = await client.done()
            assert "john" in words(response).lower()
            assert outcomes(response)[0] == ("first/demo/fast", "reset_after_commit")
            assert outcomes(response)[1] == ("second/demo/fast", "success")
            assert len(client.of("session.created")) == 1
            assert json.dumps(client.events).count("what is my name") == 2, "told the client once: added and done"


def _question(text):
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
