"""What clients were told, as the checker wants it: from answers, from raw bytes, from the events of a voice session."""

import json
import re
from dataclasses import replace

from router.sse import EventReader

from .invariants import Attempt, Heard

MODEL_PATHS = ("/v1/chat/completions", "/chat/completions")
_HEAD = re.compile(rb"POST (/v1)?/chat/completions[ ?]")


def attempts_of(told, *, streamed=True):
    """The attempts of an answer's metadata; a whole answer commits to nothing before its end."""
    return tuple(
        Attempt(
            one["model"],
            one["outcome"],
            one.get("stage"),
            "time_to_first_token_ms" in one if streamed else one["success"],
        )
        for one in told
    )


class Told:
    """What a client was told: one HTTP answer, JSON or SSE."""

    def __init__(self, status, headers, raw, seconds=0.0):
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
            ("complete",) * (self.done if self.streamed else self.status == 200)
            + ("error event",) * (self.streamed and bool(self.errors))
            + ("http error",) * (not self.streamed and self.status >= 400)
        )

    def as_heard(self, **more):
        """For the checker."""
        return Heard(
            **{
                "ends": self.ends,
                "text": self.text,
                "attempts": attempts_of(self.attempts, streamed=self.streamed) if "attempts" in self.metadata else None,
                "request_id": self.headers.get("x-request-id"),
                "variant": self.metadata.get("variant_id"),
                "router": self.metadata.get("router"),
                "said": self.raw,
                **more,
            }
        )


def heard_on(line):
    """What a raw connection heard; None when it asked nothing, or became a voice session."""
    if not line.sent or line.heard.startswith(b"HTTP/1.1 101"):
        return None
    if not _HEAD.match(line.sent):
        return Heard(("wire",), said=line.heard, counted=False)
    head, _, body = line.sent.partition(b"\r\n\r\n")
    model = re.search(rb'"model": *"([^"]+)"', body)
    own = {"model": model[1].decode() if model else "", "said": line.heard, "hung_up_s": line.hung_up_s}
    answer, _, rest = line.heard.partition(b"\r\n\r\n")
    while answer.startswith(b"HTTP/1.1 100"):
        answer, _, rest = rest.partition(b"\r\n\r\n")
    if not answer:
        length = re.search(rb"content-length: *(\d+)", head)
        whole = length is not None and len(body) == int(length[1])
        return Heard(("lost",) if line.ended and whole else ("client cancel",), counted=False, **own)
    status, headers = int(answer.split(b" ")[1]), dict(_pairs(answer))
    known = "x-request-id" in headers  # else the server refused it before the application saw it
    if status >= 400:
        return Heard(("http error",), request_id=headers.get("x-request-id"), counted=known, **own)
    told = Told(status, headers, _unchunked(rest) if "transfer-encoding" in headers else b"")
    if not told.streamed:
        return Heard(("complete",), request_id=headers["x-request-id"], **own)
    return told.as_heard(**own, **({} if told.ends else {"ends": ("lost",) if line.ended else ("client cancel",)}))


def _pairs(head):
    for row in head.split(b"\r\n")[1:]:
        name, _, value = row.partition(b":")
        yield name.decode("latin-1").lower(), value.strip().decode("latin-1")


def _unchunked(raw):
    """The whole events of a chunked body, or of the part of it that has come."""
    body, place = b"", 0
    while (end := raw.find(b"\r\n", place)) > 0 and (size := int(raw[place:end], 16)):
        body += raw[end + 2 : end + 2 + size]
        place = end + 2 + size + 2
    return body[: body.rfind(b"\n\n") + 2]


def heard_in(client, sessions):
    """What a voice session heard: one whole, and one for each response. A relayed session is one request, whose record
    has the name that the log gives for its responses (`sessions`).
    """
    closes = tuple(f"closed {event['code']}" for event in client.events if event["type"] == "closed")
    whole = Heard(closes, said=json.dumps(client.events).encode(), own=client.canary, counted=None)
    responses = [_response(client, event["response"]["id"], closes) for event in client.of("response.created")]
    if client.ours:
        yield from (whole, *responses)
        return
    names = [sessions[event["response"]["id"]] for event in client.of("response.done")]
    name = names[0] if len(set(names)) == 1 else None
    last = next((one.attempts[-1].model for one in reversed(responses) if one.attempts), "")
    tokens = sum((event["response"].get("usage") or {}).get("total_tokens", 0) for event in client.of("response.done"))
    yield replace(whole, request_id=name, model=last, hung_up_s=client.left_s, tokens=tokens if name else None)
    yield from (replace(one, request_id=name, so_far=True) for one in responses)


def _response(client, name, closes):
    places = [n for n, event in enumerate(client.events) if _ends(event, name)]
    ends = tuple(client.events[place]["response"]["status"] for place in places)
    if not places:
        return Heard(closes, counted=None)
    late = any(event.get("response_id") == name for event in client.events[places[0] + 1 :])
    response = client.events[places[0]]["response"]
    metadata = response["metadata"] or {}
    told = json.loads(metadata.get("attempts", "null"))
    sounds = [one["delta"] for one in client.of("response.output_audio.delta") if one["response_id"] == name]
    return Heard(
        ends + ("late event",) * late,
        " ".join(
            part.get("transcript") or part.get("text") or "" for item in response["output"] for part in item["content"]
        ),
        attempts_of(told) if told is not None else None,
        variant=metadata.get("variant_id"),
        voices=frozenset() if client.ours else frozenset(sounds),
        counted=None,
    )


def sessions_in(log):
    """The session of each response that a log of JSON lines tells of."""
    lines = (json.loads(line) for line in log.splitlines() if '"response_id"' in line)
    return {line["response_id"]: line["session_id"] for line in lines}


def _ends(event, name):
    return event["type"] == "response.done" and event["response"]["id"] == name
