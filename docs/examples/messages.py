"""A streamed message with the anthropic package: words as they come, then who answered.

pip install anthropic
python messages.py "count to three"
"""

import os
import sys

import anthropic

said = " ".join(sys.argv[1:]) or "say hello"
with anthropic.Anthropic(
    base_url=os.environ.get("RR_URL", "http://127.0.0.1:8080"),
    api_key=os.environ.get("RR_API_KEY", "unused"),
) as client:
    stream = client.messages.create(
        model="demo/down",
        max_tokens=1000,
        messages=[{"role": "user", "content": said}],
        stream=True,
        extra_body={"models": ["demo/fast"]},  # tried next, before the first word
    )
    for event in stream:
        if event.type == "content_block_delta":
            print(event.delta.text, end="", flush=True)
        elif event.type == "message_delta":
            attempts = event.metadata["attempts"]
    print()
    for attempt in attempts:
        print(attempt["model"], attempt["outcome"], attempt["duration_ms"], "ms")
