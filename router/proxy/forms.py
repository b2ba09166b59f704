"""Fields of a multipart form, found without decoding or copying the file in it (RFC 7578)."""

import re
from collections.abc import Collection

from router.refusal import Refusal

from .faults import refused

BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
NAME = re.compile(rb'name="((?:[^"\\]|\\.)*)"|name=([^\s;"]+)', re.IGNORECASE)
MOST_PARTS = 128
LONGEST_FIELD = 4096
LONGEST_HEAD = 8192


def form_fields(content_type: str, body: bytes, names: Collection[str]) -> dict[str, str]:
    """The named text fields. Raises Refusal 400 for a form that cannot be read, or a field beyond 4096 bytes."""
    match = BOUNDARY.search(content_type)
    if match is None:
        raise _broken("the content type names no boundary")
    mark = b"--" + (match[1] or match[2]).encode("latin-1", "replace")
    found: dict[str, str] = {}
    at = 0 if body.startswith(mark) else _after(body.find(b"\r\n" + mark), 2)
    for _ in range(MOST_PARTS):
        at += len(mark)
        if body[at : at + 2] == b"--":
            return found
        head_end = body.find(b"\r\n\r\n", at, at + LONGEST_HEAD)
        part_end = body.find(b"\r\n" + mark, head_end)
        if head_end < 0 or part_end < 0:
            raise _broken("a part does not end")
        name = _name_of(body[at:head_end])
        if name in names:
            found[name] = _text(name, body[head_end + 4 : part_end])
        at = part_end + 2
    raise _broken(f"it has more than {MOST_PARTS} parts")


def _after(found: int, more: int) -> int:
    if found < 0:
        raise _broken("the boundary of its content type does not occur in it")
    return found + more


def _name_of(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-disposition:") and b"filename" not in line.lower():
            match = NAME.search(line)
            if match is not None:
                return (match[1] or match[2] or b"").decode("utf-8", "replace")
    return ""


def _text(name: str, value: bytes) -> str:
    if len(value) > LONGEST_FIELD:
        raise refused(400, f"The form field {name!r} is longer than {LONGEST_FIELD} bytes.", param=name)
    return value.decode("utf-8", "replace").strip()


def _broken(why: str) -> Refusal:
    return refused(400, f"The multipart form cannot be read: {why}.", code="invalid_form")
