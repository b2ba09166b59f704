"""Chat with a router through the openai package: only base_url is new.

python chat.py "count to 3"
"""

import os
import sys

from openai import OpenAI

client = OpenAI(
    base_url=os.environ.get("RR_URL", "http://127.0.0.1:8080") + "/v1",
    api_key=os.environ.get("RR_API_KEY", "unused"),
)
stream = client.chat.completions.create(
    model="router/demo",
    user="ann",  # the same user always meets the same variant
    messages=[{"role": "user", "content": " ".join(sys.argv[1:]) or "count to 3"}],
    extra_body={"metadata": {"tier": "chaos"}},  # what conditions look at
    stream=True,
)
metadata = {}
for chunk in stream:
    metadata = getattr(chunk, "metadata", None) or metadata  # on the last chunk
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
print()
for attempt in metadata["attempts"]:
    print(attempt["model"], attempt["outcome"], f"{attempt['duration_ms']} ms")
