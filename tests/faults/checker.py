"""The offline checker: what the client was told, what the upstream saw, and what was counted must be one story.

I1  the attempts told are the calls the upstream saw      I7  in-flight gauges return to nought
I2  the client's words are those of the serving attempt   I8  every request is counted once, its tokens once
I3  one serving attempt after the commit                  I9  no key or prompt outside its place
I4  no more attempts than allowed                         I10 fallback never changes the variant
I5  a request ends in exactly one way                     I11 the number of series is bounded
I6  no upstream call outlives its client                  I12 nothing on stderr about lost tasks or sockets

I1 to I5 are checked for each request by `check_story`, I6 to I8 by `check_settled` after each row, I9, I11 and I12 over
the whole run by `check_traces`. I10 has a row of its own.
"""

import json
import time

from router.sse import EventReader
from router.upstreams.scripted import CANONICAL

from .street import KEY, OTHER_KEY, PROMPT, PROVIDER_KEY

MAX_ATTEMPTS = 3
UNSEEN = {"connect_refused", "connect_timeout", "tls", "dns", "router_overloaded"}  # no request reached the upstream
WORDS = CANONICAL.split()
MAX_SERIES = 10_000
LEAKS = ("Task was destroyed", "never retrieved", "ResourceWarning", "Traceback", "coroutine")


class Told:
    """What the client was told: one HTTP answer, JSON or SSE."""

    def __init__(self, status, headers, raw, seconds):
        self.status = status
        self.headers = headers
        self.raw = raw
        self.seconds = seconds
        self.streamed = headers.get("content-type", "").startswith("text/event-stream")
        self.done = False
        self.chunks = []
        if self.streamed:
            reader = EventReader()
            payloads = reader.feed(raw) + reader.end()
            self.done = payloads[-1:] == [b"[DONE]"]
            self.chunks = [json.loads(payload) for payload in payloads if payload != b"[DONE]"]
            self.errors = [chunk["error"] for chunk in self.chunks if "error" in chunk]
            self.text = "".join(
                choice["delta"].get("content") or ""
                for chunk in self.chunks
                for choice in chunk.get("choices", ())
                if choice["index"] == 0
            )
            metadata = [chunk["metadata"] for chunk in self.chunks if "metadata" in chunk]
            self.metadata = metadata[-1] if metadata else {}
        else:
            document = json.loads(raw) if raw else {}
            self.errors = [document["error"]] if "error" in document else []
            choices = document.get("choices") or [{}]
            self.text = (choices[0].get("message") or {}).get("content") or ""
            self.metadata = document.get("metadata", {})
            self.document = document

    @property
    def attempts(self):
        return self.metadata.get("attempts", [])

    @property
    def outcomes(self):
        return [attempt["outcome"] for attempt in self.attempts]

    @property
    def words(self):
        return len(self.text.split())

    @property
    def ends(self):
        """complete, error event or http error: how it ended."""
        return (
            ["complete"] * (self.done if self.streamed else self.status == 200)
            + ["error event"] * (self.streamed and bool(self.errors))
            + ["http error"] * (not self.streamed and self.status >= 400)
        )


def ask(street, model, *fallbacks, stream=True, headers=None, **fields):
    """One chat completion, heard to its end."""
    document = {
        "model": model,
        "models": list(fallbacks),
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": stream,
        **fields,
    }
    began_s = time.monotonic()
    reply = street.client.post("/v1/chat/completions", json=document, headers=headers)
    return Told(reply.status_code, reply.headers, reply.content, time.monotonic() - began_s)


def check_story(street, told, mark, *, continued=False, max_attempts=MAX_ATTEMPTS):
    """I1 to I5 of one request whose models all end in `@mark`."""
    attempts = told.attempts
    seen = [f"{call.model}" for call in street.journal(mark)]
    reached = [
        a["model"].partition("/")[2] for a in attempts if a["outcome"] not in UNSEEN and a["provider"] in street.plain
    ]
    spoiled = any(a["provider"] not in street.plain for a in attempts)  # its calls may be lost before the log
    shown = [model for model in seen if model in reached or not spoiled]
    assert reached == shown, f"I1: told {attempts}, the upstream saw {seen}"
    assert len(attempts) <= max_attempts, f"I4: {len(attempts)} attempts"
    assert len(told.ends) == 1, f"I5: ended as {told.ends}"
    assert sum(attempt["success"] for attempt in attempts) <= 1, "I3: two attempts served"
    serving = [a for a in attempts if a["success"] or a["outcome"] in ("truncated", "reset_after_commit")]
    if told.text and not continued:
        assert attempts[-1] in serving or told.errors, "I3: the last attempt does not serve"
        assert WORDS[: told.words] == told.text.split(), f"I2: {told.text!r}"
    if told.ends == ["complete"]:
        assert attempts[-1]["success"], "I1: a success without a served attempt"
    for secret in (PROVIDER_KEY, KEY, OTHER_KEY, PROMPT):
        assert secret not in told.raw.decode("utf-8", "replace"), "I9: a secret in an answer"


def check_settled(street, before, requests, attempts):
    """I6 to I8 after a row: `before` is the exposition at its start."""

    def settled():
        return street.total("rr_inflight") == 0 and all(
            seen.ended is not None for seen in list(street.server.journal.seen) if seen.status is not None
        )

    street.until(settled, 1.5)

    def grown(name):
        return street.total(name) - sum(v for series, v in before.items() if series.partition("{")[0] == name)

    street.until(lambda: grown("rr_requests_total") >= requests, 1.5)
    assert grown("rr_requests_total") == requests, "I8: requests are not counted once"
    assert grown("rr_attempts_total") == attempts, "I8: attempts are not counted once"


def check_traces(street):
    """I9, I11 and I12 over everything a run has left behind; call it when the application still runs."""
    errors = street.stderr.read_text()
    assert not [leak for leak in LEAKS if leak in errors], f"I12: {errors[-3000:]}"
    exposition = street.client.get("/metrics").text
    assert len(exposition.splitlines()) < MAX_SERIES, "I11: too many series"
    records = street.client.get("/v1/router/requests", params={"limit": 1000}).text
    files = {path.name: path.read_bytes() for path in street.folder.glob("records.db*")}
    sinks = {"stderr": errors.encode(), "metrics": exposition.encode(), "records": records.encode(), **files}
    for name, content in sinks.items():
        for secret in (PROVIDER_KEY, KEY, OTHER_KEY, PROMPT):
            assert secret.encode() not in content, f"I9: {secret[:10]}… in {name}"
