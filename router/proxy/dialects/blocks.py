"""A chat answer, whole or growing, as a list of blocks: reasoning, text, refusal, function calls. Pure, never raises.

Chunks go in, changes come out: a block opened, grew, was closed. Text closes when something else begins; a call closes
when the next block begins and its arguments are complete JSON (providers may mix the pieces of several calls), else at
the end. A whole answer is one large chunk. Only the first choice counts: nobody can ask for a second here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

Kind = Literal["reasoning", "text", "refusal", "call"]
CUT_SHORT = ("length", "content_filter")


@dataclass(slots=True)
class Block:
    """A part of an answer; `index` counts from 0. `call_id` and `name` are a call's, whose text is its arguments."""

    kind: Kind
    index: int
    call_id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)
    logprobs: list[Mapping[str, Any]] = field(default_factory=list)
    annotations: list[Mapping[str, Any]] = field(default_factory=list)
    closed: bool = False

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.pieces)

    @property
    def complete(self) -> bool:
        """Whether nothing can follow: text may end anywhere, arguments where the JSON ends."""
        if self.kind != "call":
            return True
        try:
            orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return False
        return True


@dataclass(slots=True)
class Opened:
    """A block began."""

    block: Block


@dataclass(slots=True)
class Grew:
    """A block goes on by a piece, which it holds already."""

    block: Block
    piece: str
    logprobs: list[Mapping[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Noted:
    """A text gained a citation, which it holds already."""

    block: Block
    annotation: Mapping[str, Any]


@dataclass(slots=True)
class Closed:
    """A block is over."""

    block: Block


Change = Opened | Grew | Noted | Closed


class Answer:
    """What has arrived of an answer. `seed` names calls to which a provider gave no id."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._calls: dict[int, Block] = {}
        self.blocks: list[Block] = []
        self.model = ""
        self.finish_reason: str | None = None
        self.usage: Mapping[str, Any] | None = None
        self.report: Mapping[str, Any] | None = None  # our `metadata`

    @property
    def calls(self) -> bool:
        """Whether a function is called."""
        return bool(self._calls)

    def take(self, chunk: Mapping[str, Any]) -> Iterator[Change]:
        """What a chunk (or a whole completion) changes, change by change: read all before the next chunk."""
        self.model = _text(chunk.get("model")) or self.model
        usage, report = chunk.get("usage"), chunk.get("metadata")
        if isinstance(usage, Mapping):
            self.usage = usage
        if isinstance(report, Mapping):
            self.report = report
        return self._changes(chunk)

    def end(self) -> Iterator[Change]:
        """Close what is open."""
        return self._close(whatever=True)

    def _changes(self, chunk: Mapping[str, Any]) -> Iterator[Change]:
        for choice in _objects(chunk.get("choices")):
            if choice.get("index", 0) != 0:
                continue
            self.finish_reason = _text(choice.get("finish_reason")) or self.finish_reason
            delta = choice.get("delta") or choice.get("message")
            if isinstance(delta, Mapping):
                logprobs = choice.get("logprobs")
                tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
                yield from self._grow(delta, list(_objects(tokens)))

    def _grow(self, delta: Mapping[str, Any], logprobs: list[Mapping[str, Any]]) -> Iterator[Change]:
        yield from self._say("reasoning", _text(delta.get("reasoning_content")) or _text(delta.get("reasoning")), [])
        yield from self._say("text", _text(delta.get("content")), logprobs)
        yield from self._say("refusal", _text(delta.get("refusal")), [])
        block = self.blocks[-1] if self.blocks else None
        for annotation in _objects(delta.get("annotations")):
            if block is not None and block.kind == "text":
                block.annotations.append(annotation)
                yield Noted(block, annotation)
        for position, call in enumerate(_objects(delta.get("tool_calls"))):
            yield from self._call(call, position)
        older = delta.get("function_call")
        if isinstance(older, Mapping):
            yield from self._call({"function": older}, 0)

    def _say(self, kind: Kind, piece: str, logprobs: list[Mapping[str, Any]]) -> Iterator[Change]:
        if not piece:
            return
        if not self.blocks or self.blocks[-1].kind != kind:
            yield from self._open(Block(kind, len(self.blocks)))
        block = self.blocks[-1]
        block.pieces.append(piece)
        block.logprobs += logprobs
        yield Grew(block, piece, logprobs)

    def _call(self, call: Mapping[str, Any], position: int) -> Iterator[Change]:
        function, index = call.get("function"), call.get("index")
        function = function if isinstance(function, Mapping) else {}
        index = index if isinstance(index, int) else position
        call_id, name, piece = _text(call.get("id")), _text(function.get("name")), _arguments(function.get("arguments"))
        block = self._calls.get(index)
        if block is None or (name and call_id and call_id != block.call_id):  # some providers number every call 0
            number = len(self.blocks)
            block = Block("call", number, call_id or f"call_{self._seed}{number:02d}", name)
            yield from self._open(block)
            self._calls[index] = block
        block.name = block.name or name
        if piece and not block.closed:
            block.pieces.append(piece)
            yield Grew(block, piece)

    def _open(self, block: Block) -> Iterator[Change]:
        yield from self._close()
        self.blocks.append(block)
        yield Opened(block)

    def _close(self, *, whatever: bool = False) -> Iterator[Change]:
        for block in self.blocks:
            if not block.closed and (whatever or block.complete):
                block.closed = True
                yield Closed(block)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in what should be a list of them."""
    return (entry for entry in value if isinstance(entry, Mapping)) if isinstance(value, list) else iter(())


def _text(value: Any) -> str:
    """A text, or the texts of parts; empty for anything else."""
    if isinstance(value, list):
        return "".join(text for part in _objects(value) if isinstance(text := part.get("text"), str))
    return value if isinstance(value, str) else ""


def _arguments(value: Any) -> str:
    """Arguments as JSON text; some servers send the object itself."""
    if not isinstance(value, Mapping):
        return _text(value)
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # nested too deep
        return ""


def count(usage: Mapping[str, Any], name: str, *inner: str) -> int:
    """A number of tokens in a usage; below `name` the largest that goes by one of the `inner` names. 0 without it."""
    if inner:
        details = usage.get(name)
        return max(count(details, one) for one in inner) if isinstance(details, Mapping) else 0
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def sse(kind: str, document: Mapping[str, Any]) -> bytes:
    """An event with a name."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps(document))
