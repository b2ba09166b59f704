"""A reply that is cut short says whom it had asked: the record ends with it, not after it."""

import json

from .voice_rig import connected, running

FILE = """
version: 1
providers: {demo: {kind: demo}, scripted: {kind: scripted}}
routers: [routers]
records: {url: "memory://"}
"""
ROUTERS = {
    "broken": """
router: broken
default: {id: default, variants: [{id: a, weight: 100, model: scripted/503, fallbacks: [scripted/hang]}]}
"""
}


async def say(client, words):
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    await client.send("conversation.item.create", item=message)


def attempts(response):
    return json.loads(response["metadata"]["attempts"])


async def test_a_reply_that_is_cancelled_tells_its_attempts_so_far(tmp_path):
    with running(tmp_path, FILE, ROUTERS) as port:
        async with connected(port, "/v1/realtime?model=router/broken", microphone=False) as client:
            await client.send("session.update", session={"type": "realtime", "output_modalities": ["text"]})
            await say(client, "hello")
            await client.send("response.create")
            await client.until("response.created")
            await client.send("response.create")  # refused: by then the first one has been asked for
            await client.until("error")
            await client.send("response.cancel")
            cut = attempts(await client.done())
            assert [(one["model"], one["outcome"], one["stage"]) for one in cut] == [
                ("scripted/503", "overloaded", "llm"),
                ("scripted/hang", "cancelled_by_client", "llm"),
            ]


async def test_a_reply_that_is_interrupted_while_it_speaks_tells_of_model_and_voice_once(tmp_path):
    with running(tmp_path, FILE, ROUTERS) as port:
        async with connected(port, "/v1/realtime?model=demo/fast", microphone=False) as client:
            await say(client, "count to sixty")
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            response = await client.done()
            assert response["status"] == "cancelled"
            stages = [one["stage"] for one in attempts(response)]
            assert stages.count("llm") == 1
            assert "tts" in stages
