"""Say a WAV file (16 bit, mono) and write the answer: python voice_client.py hello.wav answer.wav (needs websockets)."""

import base64
import json
import os
import sys
import wave
from array import array

from websockets.sync.client import connect

URL = os.environ.get("RR_URL", "http://127.0.0.1:8080").replace("http", "ws", 1) + "/v1/realtime?model=gpt-realtime"
KEY = os.environ.get("RR_API_KEY", "unused")
RATE = 24_000


def at_our_rate(pcm: bytes, rate: int) -> bytes:
    """Linear interpolation: good enough for speech."""
    given = array("h", pcm)
    places = (n * rate / RATE for n in range((len(given) - 1) * RATE // rate))
    return array("h", (int(given[int(p)] + (given[int(p) + 1] - given[int(p)]) * (p % 1)) for p in places)).tobytes()


def main(question: str, answer: str) -> None:
    with wave.open(question) as sound:
        pcm = at_our_rate(sound.readframes(sound.getnframes()), sound.getframerate())
    with (
        connect(URL, additional_headers={"Authorization": f"Bearer {KEY}"}, max_size=None) as socket,
        wave.open(answer, "wb") as heard,
    ):
        heard.setparams((1, 2, RATE, 0, "NONE", "not compressed"))

        def send(kind: str, **fields: object) -> None:
            socket.send(json.dumps({"type": kind, **fields}))

        audio = {"input": {"transcription": {"model": "whisper-1"}}, "output": {"voice": "alloy"}}
        send("session.update", session={"type": "realtime", "audio": audio})
        pcm += bytes(2 * RATE)  # a second of silence ends the turn
        for at in range(0, len(pcm), RATE // 5):  # 100 ms a piece
            send("input_audio_buffer.append", audio=base64.b64encode(pcm[at : at + RATE // 5]).decode())
        for message in socket:
            event = json.loads(message)
            match event["type"]:
                case "conversation.item.input_audio_transcription.completed":
                    print("you:", event["transcript"])
                case "response.output_audio.delta":
                    heard.writeframes(base64.b64decode(event["delta"]))
                case "response.output_audio_transcript.done":
                    print("it:", event["transcript"])
                case "response.done" if event["response"]["status"] == "completed":
                    return
                case "error":
                    sys.exit(event["error"]["message"])


if __name__ == "__main__":
    main(*sys.argv[1:3])
