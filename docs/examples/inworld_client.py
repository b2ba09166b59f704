"""A typed turn of a voice session in Inworld's spelling; needs only the websockets package.

python inworld_client.py "count to 3"
"""

import base64
import json
import os
import sys
import time

from websockets.sync.client import connect

HOST = os.environ.get("RR_URL", "http://127.0.0.1:8080").replace("http", "ws", 1)
KEY = base64.b64encode(os.environ.get("RR_API_KEY", "id:secret").encode()).decode()
SESSION = {
    "type": "realtime",
    "model": "inworld/demo",  # a router
    "instructions": "Be brief.",
    "output_modalities": ["audio", "text"],
    "audio": {"output": {"model": "inworld-tts-2", "voice": "Ashley"}},
    "providerData": {"user_id": "u-42", "metadata": {"tier": "premium"}},  # for stickiness, for conditions
}

url = f"{HOST}/api/v1/realtime/session?key=voice-{int(time.time() * 1000)}&protocol=realtime"
with connect(url, additional_headers={"Authorization": f"Basic {KEY}"}, max_size=None) as socket:
    content = [{"type": "input_text", "text": " ".join(sys.argv[1:]) or "count to 3"}]
    for event in (
        {"type": "session.update", "session": SESSION},
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}},
        {"type": "response.create"},
    ):
        socket.send(json.dumps(event))
    audio_bytes = 0
    for message in socket:
        event = json.loads(message)
        if event["type"] == "response.output_audio.delta":
            audio_bytes += len(base64.b64decode(event["delta"]))
        elif event["type"] == "response.output_audio_transcript.delta":
            print(event["delta"], end="", flush=True)
        elif event["type"] == "error":
            sys.exit(event["error"]["message"])
        elif event["type"] == "response.done":
            print(f"\n{audio_bytes} bytes of sound")
            for attempt in event["response"]["metadata"]["attempts"]:
                print(attempt["model"], "success" if attempt.get("success", True) else attempt["outcome"])
            break
