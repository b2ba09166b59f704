"""A streamed response with the openai package: words as they come, then who answered.

pip install openai
python responses.py "count to three"
"""

import os
import sys

import openai

said = " ".join(sys.argv[1:]) or "say hello"
with openai.OpenAI(
    base_url=os.environ.get("RR_URL", "http://127.0.0.1:8080") + "/v1",
    api_key=os.environ.get("RR_API_KEY", "unused"),
) as client:
    stream = client.responses.create(
        model="demo/down",
        input=said,
        stream=True,
        extra_body={"models": ["demo/fast"]},  # tried next, before the first word
    )
    for event in stream:
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
    print()
    for attempt in event.response.routing["attempts"]:
        print(attempt["model"], attempt["outcome"], attempt["duration_ms"], "ms")
