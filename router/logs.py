"""Log lines: a fixed message and fields, as JSON or for a console.

Rules: no content of a request is ever a field; whatever is printed passes the redaction last; control characters are
escaped, so that nothing can forge a line; and a blocked pipe never blocks a request: lines go through a bounded queue
to a thread, and what does not fit is dropped and counted.
"""

import logging
import os
import re
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson

from .figures import THOUSANDTHS
from .log_writer import Batches

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")
LOGGERS = ("policies", "router", "realtime", "asyncio", "uvicorn.error")
REDACTED = "[redacted]"
COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "31"}  # of the level, on a terminal
_QUEUE_LINES = 10_000
_FIELD_CHARACTERS = 2000
_FRONTS = 1024  # remembered at most
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
Item = logging.LogRecord | str
_USUAL = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "fields", "color_message"}


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

    def __init__(self, form: str, redaction: Redaction, *, colours: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.json = form == "json"
        self._colours = colours or {}
        self._redact = redaction
        self.plain = lru_cache(1024)(self._cleaned)  # a text from outside without keys, fit for a field
        self.fronts: dict[Hashable, str] = {}  # see `front`

    def write(self, items: Sequence[Item]) -> list[str]:
        """Whatever is queued, as lines; what is a line already was made by `event`."""
        return [item if isinstance(item, str) else self._formatted(item) for item in items]

    def front(self, key: Hashable, level: str, name: str, message: str, fields: Mapping[str, Any]) -> str:
        """What many lines say alike, as `event` takes it; kept in `fronts` under the key. Its texts are `plain`."""
        if len(self.fronts) >= _FRONTS:
            self.fronts.clear()
        made = self.fronts[key] = self._said(level, name, message, fields)
        return made

    def event(self, wall_s: float, front: str, figures: str) -> str:
        """A line whose texts have passed `plain`, or are ours from the first to the last character."""
        when = moment(wall_s)
        if self.json:
            return f'{{"time":"{when}",{front},{figures}}}'
        return f"{when[11:23]} {front} {figures}"

    def word(self, text: str) -> str:
        """A `plain` text as the value of a field."""
        return orjson.dumps(text).decode() if self.json else _console(text)

    def forget(self) -> None:
        """What was cleaned before is cleaned anew: there is another secret."""
        self.plain.cache_clear()
        self.fronts.clear()

    def _cleaned(self, text: str) -> str:
        return escaped(self._redact(text[:_FIELD_CHARACTERS]))

    def _formatted(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except (ValueError, TypeError, RecursionError) as error:  # a line that cannot be made must not end the log
            return f"a log line could not be formatted: {type(error).__name__}"

    def format(self, record: logging.LogRecord) -> str:
        """JSON or console text, redacted, without control characters."""
        fields = {name: value for name, value in vars(record).items() if name not in _USUAL}
        fields |= getattr(record, "fields", None) or {}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        fields = {self._plain(str(name)): self._plain(value) for name, value in fields.items() if value is not None}
        when, said = moment(record.created), self._plain(record.getMessage())
        if not self.json:
            return f"{when[11:23]} {self._said(record.levelname, record.name, said, fields)}".rstrip(" ")
        fields.pop("time", None)
        return f'{{"time":"{when}",{self._said(record.levelname, record.name, said, fields)}}}'

    def _said(self, level: str, name: str, message: str, fields: Mapping[str, Any]) -> str:
        """All of a line but its time."""
        if self.json:
            head = {"level": level.lower(), "logger": name, "message": message}
            return orjson.dumps({**head, **fields, **head}, default=str)[1:-1].decode()
        return f"{self._word(level)} {message} {_words(fields)}"

    def _word(self, level: str) -> str:
        colour, word = self._colours.get(level), f"{level:7}"
        return word if colour is None else f"\x1b[{colour}m{word}\x1b[0m"

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

    def __init__(self, batches: Batches[Item], line: Line) -> None:
        super().__init__()
        self.batches = batches
        self.line = line
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
        """Queue a record or a line; or drop it."""
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
        self.handler.line.forget()

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
    made = Logging(Queued(batches, line), batches, redaction)
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


def moment(wall_s: float) -> str:
    """Unix time as ISO 8601, to the millisecond, UTC."""
    milliseconds = int(wall_s * 1000)
    return f"{_second(milliseconds // 1000)}.{THOUSANDTHS[milliseconds % 1000]}+00:00"


@lru_cache(maxsize=4)
def _second(wall_s: int) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def escaped(text: str) -> str:
    """Control, format and separator characters and lone surrogates as `\\xNN` or `\\uNNNN`."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else f"\\x{ord(one):02x}" if ord(one) < 256 else f"\\u{ord(one):04x}" for one in text
    )


def _words(fields: Mapping[str, Any]) -> str:
    words = []
    for label, value in fields.items():
        kind = value.__class__
        simple = kind is int or kind is float or (kind is str and value and " " not in value)
        words.append(f"{label}={value}" if simple else f"{label}={_console(value)}")
    return " ".join(words)


def _console(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    return f'"{text}"' if " " in text or not text else text
