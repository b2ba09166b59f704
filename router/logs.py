"""Log lines: a fixed message and fields, one line a request, as JSON or for a console.

Rules: no content of a request is ever a field; whatever is printed passes the redaction last; control characters are
escaped, so that nothing can forge a line; and a blocked pipe never blocks a request: lines go through a bounded queue
to a thread, and what does not fit is dropped and counted.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

from .cost import cost_usd, tokens_of
from .log_writer import Batches
from .observers import Silent, TurnedAway
from .record import Record

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
LOGGERS = ("policies", "router", "realtime", "asyncio", "uvicorn.error")
REDACTED = "[redacted]"
COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}  # of the level, on a terminal
_QUEUE_LINES = 10_000
_FIELD_CHARACTERS = 2000
_SECRETS = re.compile(
    r"""\b(?:sk|pk|rk|ek|gsk|xai|tgp|AIza)[-_][\w-]{8,}     # keys with a well-known beginning
      | \bAIza[\w-]{20,}
      | \beyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*                   # JSON web tokens
      | (?<=bearer\s)[^\s"',;]+ | (?<=basic\s)[^\s"',;]+
      | (?<=api_key=)[^\s"'&,;]+ | (?<=apikey=)[^\s"'&,;]+ | (?<=[?&]key=)[^\s"'&,;]+ | (?<=token=)[^\s"'&,;]+
      | (?<=://)[^/\s:@]+:[^/\s@]+(?=@)                     # user and password in an address
    """,
    re.IGNORECASE | re.VERBOSE,
)
_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "fields", "color_message"}
_logger = logging.getLogger("router.requests")
_HOUSE = logging.getLogger("router")
# Without one of these, in lower case, no text can match `_SECRETS`.
_SIGNS = (
    *(f"{start}{dash}" for start in ("sk", "pk", "rk", "ek", "xai", "tgp") for dash in "-_"),
    *("aiza", "eyj", "bearer", "basic", "key=", "token=", "://"),
)


@dataclass(slots=True)
class Redaction:
    """Takes keys out of text: those that look like one, and the configured ones."""

    known: tuple[str, ...] = ()

    @classmethod
    def of(cls, secrets: Iterable[str]) -> "Redaction":
        """For these secrets; very short ones are left out, they would match everywhere."""
        return cls(tuple(sorted({secret for secret in secrets if len(secret) >= 8}, key=len, reverse=True)))

    def may_touch(self, text: str) -> bool:
        """Whether anything in the text may be a key; False is certain."""
        low = text.lower()
        return any(sign in low for sign in _SIGNS) or any(secret in text for secret in self.known)

    def __call__(self, text: str) -> str:
        """The text without keys."""
        for secret in self.known:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return _SECRETS.sub(REDACTED, text)


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that ended, to become a line."""

    wall_s: float
    level: int
    record: Record


Item = logging.LogRecord | Ended


class Line(logging.Formatter):
    """One record as one line. Values given as `extra`, or in its `fields`, become fields."""

    def __init__(self, form: str, redaction: Redaction, *, colours: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._json = form == "json"
        self._colours = colours or {}
        self._redact = redaction

    def write(self, item: Item) -> str:
        """Whatever is queued, as a line."""
        if isinstance(item, logging.LogRecord):
            return self.format(item)
        fields = {name: value for name, value in fields_of(item.record).items() if value is not None}
        when, level = _time(item.wall_s), logging.getLevelName(item.level)
        line = self._joined(when, level, _logger.name, "request", fields)
        if len(line) <= _FIELD_CHARACTERS and line.isprintable() and not self._redact.may_touch(line):
            return line
        fields = {name: self._plain(value) for name, value in fields.items()}
        return self._joined(when, level, _logger.name, "request", fields)

    def format(self, record: logging.LogRecord) -> str:
        """JSON or console text, redacted, without control characters."""
        fields = {name: value for name, value in vars(record).items() if name not in _USUAL}
        fields |= getattr(record, "fields", None) or {}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        when = _time(record.created)
        fields = {self._plain(str(name)): self._plain(value) for name, value in fields.items() if value is not None}
        message = self._plain(record.getMessage())
        return self._joined(when, record.levelname, record.name, message, fields)

    def _joined(self, when: str, level: str, name: str, message: str, fields: Mapping[str, Any]) -> str:
        if self._json:
            head = {"time": when, "level": level.lower(), "logger": name, "message": message}
            return orjson.dumps({**head, **fields, **head}, default=str).decode()
        shown = " ".join([f"{name}={_console(value)}" for name, value in fields.items()])
        colour, word = self._colours.get(level), f"{level:7}"
        word = word if colour is None else f"\x1b[{colour}m{word}\x1b[0m"
        return f"{when[11:23]} {word} {message}{' ' if shown else ''}{shown}"

    def _plain(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping) and depth < 4:
            return {self._plain(str(name), depth + 1): self._plain(inner, depth + 1) for name, inner in value.items()}
        if isinstance(value, list | tuple) and depth < 4:
            return [self._plain(inner, depth + 1) for inner in value[:100]]
        return escaped(self._redact(str(value)[:_FIELD_CHARACTERS]))


class Queued(logging.Handler):
    """Hands records to the writing thread; never waits. `dropped` counts those that found no room."""

    def __init__(self, batches: Batches[Item]) -> None:
        super().__init__()
        self.batches = batches
        self.dropped = 0

    def createLock(self) -> None:  # noqa: N802  logging's name
        """None is needed: a queue takes from any thread."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Queue what no filter holds back. From Python 3.13 on, the inherited one insists on a lock."""
        kept = bool(self.filter(record))
        if kept:
            self.emit(record)
        return kept

    def emit(self, record: Item) -> None:
        """Queue or drop."""
        if not self.batches.put(record):
            self.dropped += 1


@dataclass(slots=True)
class Logging:
    """Logging that was set up; `close` writes what is queued and takes it down again."""

    handler: Queued
    listener: Batches[Item]
    redaction: Redaction = field(default_factory=Redaction)
    closed: bool = False

    def protect(self, secrets: Iterable[str]) -> None:
        """Redact these from now on too."""
        self.redaction.known = Redaction.of([*self.redaction.known, *secrets]).known

    @property
    def lost(self) -> int:
        """Lines that found no room, or that the stream did not take."""
        return self.handler.dropped + self.listener.lost

    def revive(self) -> None:
        """In a forked process: threads did not come along, so begin with a new one."""
        if not self.closed:
            self.listener.forget()
            self.listener.start()

    def close(self) -> None:
        """Undo `set_up`."""
        self.closed = True
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.removeHandler(self.handler)
            logger.propagate = True
        self.listener.stop()


def set_up(
    *, level: str = "info", form: str = "text", secrets: Iterable[str] = (), stream: TextIO | None = None
) -> Logging:
    """Send our loggers and uvicorn's to `stream` (stderr). Raises ValueError for an unknown level or format."""
    level, form = level.lower(), form.lower()
    if level not in LEVELS:
        raise ValueError(f"RR_LOG_LEVEL: {level[:40]!r} is none of {', '.join(LEVELS)}")
    if form not in FORMATS:
        raise ValueError(f"RR_LOG_FORMAT: {form[:40]!r} is none of {', '.join(FORMATS)}")
    redaction = Redaction.of(secrets)
    stream = stream if stream is not None else sys.stderr
    line = Line(form, redaction, colours=COLOURS if coloured(stream, os.environ) else None)
    batches = Batches(stream, line.write, capacity=_QUEUE_LINES)
    made = Logging(Queued(batches), batches, redaction)
    made.listener.start()
    os.register_at_fork(after_in_child=made.revive)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level.upper())
        logger.addHandler(made.handler)
        logger.propagate = False
    return made


def coloured(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream shows colours: a terminal, unless NO_COLOR says no; anything where FORCE_COLOR says yes."""
    return not environ.get("NO_COLOR") and (bool(environ.get("FORCE_COLOR")) or stream.isatty())


class RequestLog(Silent):
    """One line for every request that ended."""

    def on_finish(self, record: Record) -> None:
        """Log it: info when answered or cancelled, warning when not."""
        level = logging.INFO if (record.status or 0) < 500 else logging.WARNING
        if not _logger.isEnabledFor(level):
            return
        handlers = _HOUSE.handlers
        if len(handlers) == 1 and isinstance(handlers[0], Queued) and not (_HOUSE.propagate or _logger.handlers):
            handlers[0].emit(
                Ended(time.time(), level, record)
            )  # nobody else listens: fields are read when it is written
        else:
            _logger.log(level, "request", extra={"fields": fields_of(record)})

    def on_turned_away(self, refused: TurnedAway) -> None:
        """Log a refusal at the door."""
        if _logger.isEnabledFor(logging.INFO):
            _logger.info(
                "request refused",
                extra={
                    "fields": {
                        "request_id": refused.request_id,
                        "method": refused.method,
                        "path": refused.path[:200],
                        "status": refused.status,
                        "code": refused.code,
                    }
                },
            )


def fields_of(record: Record) -> dict[str, Any]:
    """What a request's line says: names, figures and error classes, no content. What is read first comes first."""
    decision, served, tokens = record.decision, record.served, tokens_of(record.usage)
    last = record.attempts[-1] if record.attempts else None
    first_s = served.first_token_s if served is not None else None
    return {
        "kind": record.kind,
        "status": record.status,
        "outcome": None if record.outcome is None else record.outcome.value,
        "requested": decision.requested[:200],
        "route": None if decision.router is None else f"{decision.router}/{decision.route_id}",
        "variant": decision.variant_id,
        "served": None if served is None else served.target.name,
        "attempts": [f"{one.target.name}:{one.outcome.value}" for one in record.attempts],
        "duration_ms": None if record.ended_s is None else round((record.ended_s - record.started_s) * 1000, 1),
        "ttft_ms": None if first_s is None else round((first_s - record.started_s) * 1000, 1),
        "input_tokens": None if tokens is None else tokens.input,
        "output_tokens": None if tokens is None else tokens.output,
        "cost_usd": cost_usd(None if last is None else last.target.prices, tokens),
        "stream": record.streamed,
        "key_id": record.key_id,
        "request_id": record.request_id,
        "generation_id": record.generation_id,
        "trace_id": record.trace_id,
    }


def _time(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds")


def escaped(text: str) -> str:
    """Control, format and separator characters and lone surrogates as `\\xNN` or `\\uNNNN`."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else f"\\x{ord(one):02x}" if ord(one) < 256 else f"\\u{ord(one):04x}" for one in text
    )


def _console(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return f'"{text}"' if " " in text or not text else text
