"""One provider's stream on its way through us, without I/O: bytes in, bytes for the client out.

Nothing leaves before the first meaningful delta (content, tool call, refusal, audio, reasoning); from then on every
event leaves as it came, except the last one (finish or usage), which is held for our `metadata`. Comments are no
progress. An event that is not JSON is passed over and counted; an error event ends the passage.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from .answers import Chunk, StreamedChoice, decode_chunk
from .splice import model_in, named

DONE = b"[DONE]"
_NO_USAGE = b',"usage":null'
_SILENT_FINISHES = ("length", "content_filter")  # a stream may end so without having said anything
MEANINGFUL = ("content", "tool_calls", "refusal", "audio", "function_call", "reasoning_content", "reasoning")


class Diverged(Exception):  # noqa: N818  it is what it says
    """A restarted answer does not begin with what the client already has."""


class Passage:
    """State of one stream. `prefix`: text the client already has, to be swallowed once more before anything leaves."""

    __slots__ = (
        "_model_new",
        "_model_old",
        "_opening",
        "_prefix",
        "_resumed",
        "_stitched",
        "_told",
        "committed",
        "done",
        "error",
        "finished",
        "held",
        "malformed",
        "speaking",
        "text",
        "textual",
        "usage",
        "wants_usage",
    )

    def __init__(self, model: str, *, wants_usage: bool, told: bool = False, prefix: str | None = None) -> None:
        """`prefix` None: a fresh answer; else the text the client has (empty: the provider goes on where it ended)."""
        self._model_new = named(model)
        self._model_old: bytes | None = None
        self._opening: list[bytes] = []
        self._prefix = prefix or ""
        self._resumed = prefix is not None  # the client has had opening events
        self._stitched = ""
        self._told = told  # remember the text that left, for a continuation elsewhere
        self.wants_usage = wants_usage
        self.text: list[str] = []
        self.textual = True  # nothing but plain text of one choice has left
        self.speaking = False  # a meaningful delta was seen
        self.committed = False  # and something may leave
        self.finished = False  # a finish_reason was seen
        self.done = False
        self.held: bytes | None = None
        self.usage: Mapping[str, Any] | None = None
        self.error: Any = None
        self.malformed = 0

    def feed(self, payloads: list[bytes]) -> bytes:
        """What may leave for the client after these events. Raises Diverged."""
        out: list[bytes] = []
        for payload in payloads:
            if payload == DONE:
                self.done = True
                break
            if b"\n" in payload:
                payload = payload.replace(b"\n", b" ")  # noqa: PLW2901  in JSON a line end is white space
            try:
                chunk = decode_chunk(payload)
            except msgspec.ValidationError:
                out.append(payload)  # JSON of another shape: not ours to judge
                continue
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.malformed += 1
                continue
            if chunk.error is not None:
                if not self.finished:
                    self.error = chunk.error
                    break
                continue
            self._take(payload, chunk, out)
        return self._leaving(out)

    def _take(self, payload: bytes, chunk: Chunk, out: list[bytes]) -> None:
        choices = chunk.choices
        if chunk.usage is not None:
            self.usage = chunk.usage
            if not choices and not self.wants_usage:
                return
        if choices:
            for choice in choices:
                if self._meaningful(choice):
                    self.speaking = True
                    if self._prefix:
                        rest = self._stitch(choice)
                        if not rest and choice.finish_reason is None:
                            break
                        payload = _with_content(payload, rest)
                    self.committed = True
                if choice.finish_reason is not None:
                    self._finish(choice.finish_reason)
            else:
                self._put(payload, out)
            return
        self._put(payload, out)

    def _put(self, payload: bytes, out: list[bytes]) -> None:
        if not self.finished:
            out.append(payload)
            return
        if self.held is not None:
            out.append(self.held)
        self.held = payload

    def _meaningful(self, choice: StreamedChoice) -> bool:
        delta = choice.delta
        if delta:
            content = delta.get("content")
            if content:
                if self._told:
                    self._remember(choice, content)
                return True
            if len(delta) > 1 or content is None:
                for name in MEANINGFUL:
                    if delta.get(name):
                        self.textual = False
                        return True
        elif choice.text:
            return True
        return False

    def _remember(self, choice: StreamedChoice, content: Any) -> None:
        if choice.index or not isinstance(content, str):
            self.textual = False
        elif not self._prefix:
            self.text.append(content)

    def _stitch(self, choice: StreamedChoice) -> str:
        """The part of this delta that the client does not have yet."""
        content = (choice.delta or {}).get("content")
        if not isinstance(content, str) or choice.index:
            raise Diverged
        self._stitched += content
        if len(self._stitched) <= len(self._prefix):
            if not self._prefix.startswith(self._stitched):
                raise Diverged
            return ""
        if not self._stitched.startswith(self._prefix):
            raise Diverged
        rest = self._stitched[len(self._prefix) :]
        self._prefix = ""
        if self._told:
            self.text.append(rest)
        return rest

    def _finish(self, reason: str) -> None:
        if self._prefix and self._stitched != self._prefix:
            raise Diverged
        self.finished = True
        if self.speaking or reason in _SILENT_FINISHES:
            self.committed = True

    def _leaving(self, out: list[bytes]) -> bytes:
        if not self.committed:
            if not self._resumed:
                self._opening += out
            return b""
        if self._opening:
            out = self._opening + out
            self._opening = []
        if not out:
            return b""
        joined = b"data: " + b"\n\ndata: ".join(out) + b"\n\n" if len(out) > 1 else b"data: %b\n\n" % out[0]
        return self.renamed(joined)

    def renamed(self, joined: bytes) -> bytes:
        """With the model's full name, and without the empty usage that only we asked for."""
        replaced = joined if self._model_old is None else joined.replace(self._model_old, self._model_new)
        if replaced is joined:
            self._model_old = model_in(joined)
            if self._model_old is not None:
                replaced = joined.replace(self._model_old, self._model_new)
        joined = replaced
        if not self.wants_usage and _NO_USAGE in joined:
            joined = joined.replace(_NO_USAGE, b"")
        return joined


def _with_content(payload: bytes, content: str) -> bytes:
    document = orjson.loads(payload)
    document["choices"][0]["delta"]["content"] = content
    return orjson.dumps(document)
