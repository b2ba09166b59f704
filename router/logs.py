"""Log lines: a fixed message and fields, one line a request, as JSON or for a console.

Rules: no content of a request is ever a field; whatever is printed passes the redaction last; control characters are
escaped, so that nothing can forge a line; and a blocked pipe never blocks a request: lines go through a bounded queue
to a thread, and what does not fit is dropped and counted.
"""

import logging
import os
import queue
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, TextIO

import orjson

from .cost import cost_usd, tokens_of
from .observers import Silent, TurnedAway
from .record import Record

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
LOGGERS = ("policies", "router", "realtime", "asyncio", "uvicorn.error")
REDACTED = "[redacted]"
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


@dataclass(slots=True)
class Redaction:
    """Takes keys out of text: those that look like one, and the configured ones."""

    known: tuple[str, ...] = ()

    @classmethod
    def of(cls, secrets: Iterable[str]) -> "Redaction":
        """For these secrets; very short ones are left out, they would match everywhere."""
        return cls(tuple(sorted({secret for secret in secrets if len(secret) >= 8}, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        """The text without keys."""
        for secret in self.known:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return _SECRETS.sub(REDACTED, text)


class Line(logging.Formatter):
    """One record as one line. Values given as `extra`, or in its `fields`, become fields."""

    def __init__(self, form: str, redaction: Redaction) -> None:
        super().__init__()
        self._json = form == "json"
        self._redact = redaction

    def format(self, record: logging.LogRecord) -> str:
        """JSON or console text, redacted, without control characters."""
        fields = {name: value for name, value in vars(record).items() if name not in _USUAL}
        fields |= getattr(record, "fields", None) or {}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {self._plain(str(name)): self._plain(value) for name, value in fields.items() if value is not None}
        message = self._plain(record.getMessage())
        if self._json:
            head = {"time": when, "level": record.levelname.lower(), "logger": record.name, "message": message}
            return orjson.dumps(head | fields | head, default=str).decode()
        shown = " ".join(f"{name}={_console(value)}" for name, value in fields.items())
        return f"{when[11:23]} {record.levelname:7} {message}{' ' if shown else ''}{shown}"

    def _plain(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping) and depth < 4:
            return {self._plain(str(name), depth + 1): self._plain(inner, depth + 1) for name, inner in value.items()}
        if isinstance(value, list | tuple) and depth < 4:
            return [self._plain(inner, depth + 1) for inner in value[:100]]
        return escaped(self._redact(str(value)[:_FIELD_CHARACTERS]))


class DroppingQueue(QueueHandler):
    """Hands lines to the writing thread; never waits. `dropped` counts the lines that found no room."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue or drop."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """As it is: formatting happens in the thread."""
        return record


@dataclass(slots=True)
class Logging:
    """Logging that was set up; `close` writes what is queued and takes it down again."""

    handler: DroppingQueue
    listener: QueueListener
    redaction: Redaction = field(default_factory=Redaction)
    closed: bool = False

    def protect(self, secrets: Iterable[str]) -> None:
        """Redact these from now on too."""
        self.redaction.known = Redaction.of([*self.redaction.known, *secrets]).known

    def revive(self) -> None:
        """In a forked process: threads did not come along, so begin with a new one."""
        if not self.closed:
            lines: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_LINES)
            self.handler.queue = lines
            self.listener = QueueListener(lines, *self.listener.handlers)
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
    writer = logging.StreamHandler(stream if stream is not None else sys.stderr)
    writer.setFormatter(Line(form, redaction))
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_LINES)
    made = Logging(DroppingQueue(lines), QueueListener(lines, writer), redaction)
    made.listener.start()
    os.register_at_fork(after_in_child=made.revive)
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(level.upper())
        logger.addHandler(made.handler)
        logger.propagate = False
    return made


class RequestLog(Silent):
    """One line for every request that ended."""

    def on_finish(self, record: Record) -> None:
        """Log it: info when answered or cancelled, warning when not."""
        level = logging.INFO if (record.status or 0) < 500 else logging.WARNING
        if _logger.isEnabledFor(level):
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
    """What a request's line says: names, figures and error classes, no content."""
    decision, served, tokens = record.decision, record.served, tokens_of(record.usage)
    last = record.attempts[-1] if record.attempts else None
    first_s = served.first_token_s if served is not None else None
    return {
        "request_id": record.request_id,
        "generation_id": record.generation_id,
        "trace_id": record.trace_id,
        "kind": record.kind,
        "status": record.status,
        "outcome": None if record.outcome is None else record.outcome.value,
        "key_id": record.key_id,
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
    }


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
