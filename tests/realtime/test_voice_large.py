"""A whole file of audio in one event, between the events of others."""

import base64
import json

from .voice_rig import connected, running

FILE = """
version: 1
providers: {demo: {kind: demo}}
routers: [routers]
records: {url: "memory://"}
"""
PATH = "/v1/realtime?model=demo/fast"


async def test_minutes_of_audio_in_one_event_are_counted_and_broken_ones_refused_whole(tmp_path):
    audio = base64.b64encode(bytes(48_000 * 60)).decode()
    with running(tmp_path, FILE, {}) as port:
        async with connected(port, PATH, microphone=False) as client:
            manual = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
            await client.send("session.update", session=manual)
            await client.send("input_audio_buffer.append", audio=audio[:-8] + "****", event_id="mine")
            error = (await client.until("error"))["error"]
            assert (error["code"], error["param"], error["event_id"]) == ("invalid_value", "audio", "mine")
            await client.send("input_audio_buffer.commit")
            assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
            await client.send("input_audio_buffer.append", audio=audio)
            await client.send("input_audio_buffer.commit")
            await client.until("input_audio_buffer.committed")
            recorded = {"type": "input_audio", "audio": audio}
            item = {"type": "message", "role": "user", "content": [recorded]}
            await client.send("conversation.item.create", item=item)
            added = await client.until("conversation.item.done", within_s=30)
            assert "audio" not in json.dumps(added["item"]["content"][0].get("audio"))
