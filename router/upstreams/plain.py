"""Answers that arrive whole, in one piece, and say so plainly: read without a parser.

Plain is an HTTP/1.1 answer with a Content-Length that is met exactly, no header twice, nothing but printable ASCII in
the head, and a connection that stays. Whatever is not plain is left to the parser.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
_START = b"HTTP/1.1 "
_FINE = bytes(range(0x20, 0x7F)) + b"\r\n"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BODILESS = (204, 304)
_LENGTH_DIGITS = 9


def plain(data: bytes) -> tuple[int, Mapping[str, str], bytes] | None:
    """Status, headers with lower-case names, and body; None when this is for the parser."""
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    known = _understood(data[:end]) if end >= 0 else None
    if known is None or known[2] != len(data) - end - 4:
        return None
    return known[0], known[1], data[end + 4 :]


@lru_cache(64)
def _understood(head: bytes) -> tuple[int, Mapping[str, str], int] | None:
    """Status, headers and length of a plain answer. Within a second, many targets send the same head many times."""
    if not head.startswith(_START) or head.translate(None, _FINE):
        return None
    lines = head.decode("ascii").split("\r\n")
    if head.count(b"\r") != len(lines) - 1 or head.count(b"\n") != len(lines) - 1 or len(lines) > MAX_HEADERS:
        return None
    status = _status(lines[0])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers[_lower(name)] = value.strip(" ")
    length = headers.get("content-length", "")
    if not length.isdecimal() or len(length) > _LENGTH_DIGITS or not status:
        return None
    if len(headers) != len(lines) - 1 or "" in headers or "transfer-encoding" in headers or "upgrade" in headers:
        return None
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    return status, headers, int(length)


@lru_cache(64)
def _status(line: str) -> int:
    """The status code of a final answer with a body; else 0."""
    code, space = line[9:12], line[12:13]
    if not code.isdecimal() or space not in ("", " "):
        return 0
    status = int(code)
    return 0 if status < 200 or status in _BODILESS else status


@lru_cache(1024)
def _lower(name: str) -> str:
    """A header's name in lower case; empty when it is none."""
    return name.lower() if _NAME.fullmatch(name) else ""
