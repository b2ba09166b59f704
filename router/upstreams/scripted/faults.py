"""The table of faults: a model's name is a row of it.

`N` in a row stands for the last number of the name (`cut-40` is row `cut-N`, `502-once` is row `N-once`). Anything
after an `@` only makes the name distinct (`cut-40@east`), so that one fault can serve as several targets. An unknown
name is a 404 `model_not_found`, as a provider would say. `python -m router.upstreams.scripted --list` prints the table.
"""

import gzip
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from .answer import (
    CANONICAL,
    DONE,
    WORDS,
    chunk,
    completion,
    ending,
    error,
    event,
    finish,
    json,
    role,
    stream,
    used,
    whole,
    words,
)
from .script import JSON, SSE, Asked, End, Script, Step

_NUMBER = re.compile(r"\d+(?=\D*$)")
_ERROR = {"error": {"message": "scripted fault", "type": "server_error", "param": None, "code": "scripted"}}


@dataclass(frozen=True, slots=True)
class Fault:
    """A row: what it does in one sentence, and the script it makes of a call."""

    about: str
    script: Callable[[Asked], Script]


def script_for(asked: Asked) -> tuple[str, Script]:
    """The row's name and the script for this call."""
    name = asked.model.partition("@")[0]
    number = _NUMBER.search(name)
    row = name if name in FAULTS or number is None else name[: number.start()] + "N" + name[number.end() :]
    fault = FAULTS.get(row)
    if fault is None:
        known = ", ".join(FAULTS)
        message = f"The model {asked.model!r} does not exist; scripted models are: {known}"
        return "unknown", error(404, code="model_not_found", kind="invalid_request_error", message=message)
    return row, fault.script(replace(asked, number=int(number[0][:9]) if number else 0))


def _cut(asked: Asked, end: End) -> Script:
    if not asked.stream:
        content = whole(asked).content
        return Script((content[: len(content) // 2],), end=end)
    return stream([role(asked), *words(asked, 0, asked.number)] if asked.number else [], end=end)


def _between(asked: Asked, *middle: Step) -> Script:
    if not asked.stream:
        return whole(asked)
    return stream([role(asked), *words(asked, 0, asked.number), *middle, *words(asked, asked.number), ending(asked)])


def _error_after(asked: Asked) -> Script:
    if not asked.stream:
        return json(_ERROR, headers=JSON)
    return stream([role(asked), *words(asked, 0, asked.number), event(_ERROR)])


def _no_done(asked: Asked, end: End) -> Script:
    if not asked.stream:
        return whole(asked)
    return stream([role(asked), *words(asked), finish(asked), used(asked)], end=end)


def _empty(asked: Asked) -> Script:
    return stream([DONE]) if asked.stream else json(completion(asked, {}) | {"choices": []})


def _null_content(asked: Asked) -> Script:
    if asked.stream:
        return stream([role(asked), ending(asked)])
    return json(completion(asked, {"role": "assistant", "content": None}))


def _slow_stream(asked: Asked) -> Script:
    if not asked.stream:
        return replace(whole(asked), head_s=30.0)
    return whole(replace(asked, gap_s=0.5))


def _prefilled(asked: Asked) -> Script:
    said = len((asked.prefill or "").split())
    return whole(asked, first=said if CANONICAL.startswith((asked.prefill or "").strip()) else 0)


def _prefill_reject(asked: Asked) -> Script:
    if asked.prefill is None:
        return whole(asked)
    message = "This model does not support assistant message prefill"
    return error(400, kind="invalid_request_error", message=message)


def _tool_cut(asked: Asked) -> Script:
    def part(**function: str) -> bytes:
        return chunk(asked, {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]})

    return stream([role(asked), part(name="get_weather", arguments=""), part(arguments='{"city": "Pa')], end=End.CUT)


def _odd_sse(asked: Asked) -> Script:
    parts: list[Step] = [b"\xef\xbb\xbf: hello\r\n\r\n", b"event: message\r\nid: 7\r\nretry: 100\r\n"]
    parts += [role(asked).replace(b"\n\n", b"\r\n\r\n")]
    for n, odd in enumerate(words(asked)):
        if not isinstance(odd, bytes):
            parts.append(odd)  # a pause
            continue
        style = n % 4
        if style == 1:
            odd = odd.replace(b"data: ", b"data:")  # noqa: PLW2901  the same word, spelled otherwise
        elif style == 2:
            odd = odd.replace(b"\n\n", b"\r\r")  # noqa: PLW2901
        elif style == 3:
            odd = odd.replace(b"data: {", b"data: {\r\ndata: ").replace(b"\n\n", b"\r\n\r\n")  # noqa: PLW2901
        parts += [odd[:9], odd[9:], b": ping\n\n"]
    return stream([*parts, ending(asked)])


@lru_cache(maxsize=2)
def _bomb(size_bytes: int) -> bytes:
    return gzip.compress(b'{"a":"' + b" " * size_bytes + b'"}', 6)


def _outage(asked: Asked) -> Script:
    return error(503) if asked.age_s < asked.number else whole(asked)


def _until(asked: Asked, calls: int, fault: Script) -> Script:
    return fault if asked.call <= calls else whole(asked)


def _limited(asked: Asked, name: str = "retry-after", value: str | None = None) -> Script:
    limited = error(429, code="rate_limit_exceeded", kind="rate_limit_error")
    return replace(limited, headers=(*JSON, (name, str(asked.number) if value is None else value)))


def _headed(asked: Asked, *headers: tuple[str, str]) -> Script:
    right = whole(asked)
    return replace(right, headers=(*right.headers, *headers))


_HTML = Script((b"<html><body>Please log in to the network</body></html>",), headers=(("content-type", "text/html"),))
_CONTEXT = "This model's maximum context length is 128 tokens."

FAULTS: Mapping[str, Fault] = {
    "ok": Fault("the canonical answer", whole),
    "N": Fault("every call gets this HTTP status", lambda a: error(a.number if 200 <= a.number < 600 else 500)),
    "N-once": Fault("this status on the first call, then ok", lambda a: _until(a, 1, error(a.number))),
    "outage-N": Fault("503 for N seconds from the first call on, then ok", _outage),
    "429-retry-after-N": Fault("429 with Retry-After: N", _limited),
    "429-retry-after-N-once": Fault("the same on the first call, then ok", lambda a: _until(a, 1, _limited(a))),
    "429-retry-after-ms-N": Fault("429 with retry-after-ms: N", lambda a: _limited(a, "retry-after-ms")),
    "429-retry-after-odd": Fault("429 with Retry-After: NaN", lambda a: _limited(a, value="NaN")),
    "429-retry-after-date": Fault("429, Retry-After a date",
        lambda a: _limited(a, value="Wed, 01 Jan 2099 00:00:00 GMT")),
    "crowded-N": Fault("429 while N calls are being answered, else ok",
        lambda a: whole(a) if a.under_way() < a.number else _limited(a, value="1")),
    "quota": Fault("429 insufficient_quota",
        lambda _: error(429, code="insufficient_quota", kind="insufficient_quota")),
    "auth": Fault("401 invalid_api_key", lambda _: error(401, code="invalid_api_key", kind="invalid_request_error")),
    "context": Fault("400 context_length_exceeded", lambda _: error(
        400, code="context_length_exceeded", kind="invalid_request_error", message=_CONTEXT)),
    "content-filter": Fault("400 content_policy_violation", lambda _: error(
        400, code="content_policy_violation", kind="invalid_request_error", message="rejected by the safety system")),
    "unsupported": Fault("400 unsupported_parameter", lambda _: error(
        400, code="unsupported_parameter", kind="invalid_request_error", message="Unsupported parameter: 'tools'")),
    "html": Fault("200 with HTML, a captive portal", lambda _: _HTML),
    "error-json": Fault("200 with an error object as JSON", lambda _: json(_ERROR)),
    "reset": Fault("RST before any byte", lambda _: Script(status=None, end=End.RESET)),
    "reset-once": Fault("the same on the first call, then ok",
        lambda a: _until(a, 1, Script(status=None, end=End.RESET))),
    "close": Fault("FIN before any byte", lambda _: Script(status=None, end=End.CUT)),
    "hang": Fault("accepts, then silence", lambda _: Script(status=None, end=End.HANG)),
    "stale": Fault("the canonical answer, then the idle connection is closed",
        lambda a: replace(whole(a), end=End.STALE)),
    "slow-headers": Fault("ok after 30 s", lambda a: replace(whole(a), head_s=30.0)),
    "slow-N": Fault("ok after N seconds", lambda a: replace(whole(a), head_s=float(a.number))),
    "slow-first-N": Fault("headers at once, first token after N seconds", lambda a: replace(
        whole(a), steps=(float(a.number), *whole(a).steps))),
    "slow-stream": Fault("half a second between deltas", _slow_stream),
    "slow-json": Fault("ok after 30 s", lambda a: replace(whole(a), head_s=30.0)),
    "cut-N": Fault("FIN after N deltas, the body's end never comes", lambda a: _cut(a, End.CUT)),
    "reset-N": Fault("RST after N deltas", lambda a: _cut(a, End.RESET)),
    "stall-N": Fault("silence after N deltas, the socket stays open", lambda a: _cut(a, End.HANG)),
    "finless-N": Fault("a clean end after N deltas without a finish reason", lambda a: _cut(a, End.CLEAN)),
    "role-then-die": Fault("the role chunk, then FIN", lambda a: stream([role(a)], end=End.CUT)),
    "malformed-N": Fault("an event that is no JSON after N deltas",
        lambda a: _between(a, b'data: {"choices": [{"del\n\n')),
    "error-first": Fault("an error as the first event", _error_after),
    "error-N": Fault("an error event after N deltas", _error_after),
    "no-done-close": Fault("complete, but no [DONE] before the clean end", lambda a: _no_done(a, End.CLEAN)),
    "no-done-open": Fault("complete, but no [DONE], the socket stays open", lambda a: _no_done(a, End.HANG)),
    "late": Fault("another delta after [DONE]", lambda a: stream([*whole(a).steps, chunk(a, {"content": " more"})])),
    "choice-N": Fault("one delta belongs to choice N", lambda a: stream(
        [role(a), *words(a), chunk(a, {"content": "!"}, index=a.number), ending(a)])),
    "empty": Fault("no choices at all", _empty),
    "null-content": Fault("a message without content", _null_content),
    "comments-only": Fault("keep-alive comments for a minute, nothing else",
        lambda _: stream([b": ping\n\n", 1.0] * 60)),
    "odd-sse": Fault("every spelling the SSE grammar allows", _odd_sse),
    "bad-utf8": Fault("a delta that is no UTF-8", lambda a: stream(
        [role(a), b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n', *words(a), ending(a)])),
    "huge-event": Fault("one event of 10 MB", lambda a: stream([role(a), chunk(a, {"content": "x" * 10_000_000})])),
    "endless-line": Fault("a line that never ends (64 MB)", lambda _: stream([b"data: ", *[b"x" * 1_000_000] * 64])),
    "huge-json": Fault("a JSON body of 64 MB", lambda a: Script(
        (b'{"a":"', *[b"x" * 1_000_000] * 64, b'"}'), headers=SSE if a.stream else JSON)),
    "deep-json": Fault("JSON nested 100,000 deep", lambda _: Script((b"[" * 100_000 + b"]" * 100_000,))),
    "burst-N": Fault("N deltas as fast as they go", lambda a: stream(
        [role(a), *[chunk(a, {"content": WORDS[n % len(WORDS)]}) for n in range(a.number)], ending(a)])),
    "bomb-gzip": Fault("64 MB of blanks, gzipped", lambda _: Script(
        (_bomb(64_000_000),), headers=(*JSON, ("content-encoding", "gzip")))),
    "wrong-encoding": Fault("says gzip, is not", lambda a: _headed(a, ("content-encoding", "gzip"))),
    "redirect": Fault("307 to another path",
        lambda _: replace(error(307), headers=(*JSON, ("location", "/v1/elsewhere")))),
    "big-headers": Fault("a header of 70 KB", lambda a: _headed(a, ("x-big", "x" * 70_000))),
    "many-headers": Fault("1,000 headers", lambda a: _headed(a, *((f"x-{n}", "y") for n in range(1000)))),
    "odd-headers": Fault("8-bit and control characters in headers", lambda a: _headed(a, ("x-odd", "caf\xe9\x01"))),
    "no-usage": Fault("no usage", lambda a: whole(a, usage=None)),
    "odd-usage": Fault("negative usage", lambda a: whole(a, usage={"prompt_tokens": -1, "completion_tokens": 0})),
    "prefill": Fault("continues a last assistant message", _prefilled),
    "prefill-reject": Fault("400 for a last assistant message, else ok", _prefill_reject),
    "tool-cut": Fault("a tool call cut in the middle of its arguments", _tool_cut),
    "echo": Fault("the request's own document as the answer's text", lambda a: json(completion(
        a, {"role": "assistant", "content": orjson.dumps(dict(a.document)).decode()}))),
}  # fmt: skip
