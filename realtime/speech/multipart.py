"""Read a multipart form that holds a file (RFC 7578), in memory and within limits."""

import re
from dataclasses import dataclass

BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))', re.IGNORECASE)
NAME = re.compile(rb'[;\s]name="((?:[^"\\]|\\.)*)"|[;\s]name=([^\s;"]+)', re.IGNORECASE)
FILE = re.compile(rb"[;\s]filename\*?=", re.IGNORECASE)
MOST_PARTS = 64
LONGEST_HEAD = 8192


class MalformedForm(ValueError):  # noqa: N818  it says what is wrong with the bytes
    """The body is not a form that can be read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field. `file`: it came with a file name."""

    name: str
    content: bytes
    file: bool

    @property
    def text(self) -> str:
        """The content of a text field."""
        return self.content.decode("utf-8", "replace").strip()


def form_parts(content_type: str, body: bytes) -> list[Part]:
    """All parts in order. Raises MalformedForm."""
    match = BOUNDARY.search(content_type)
    if match is None:
        raise MalformedForm("the content type names no boundary")
    mark = b"--" + (match[1] or match[2]).encode("latin-1", "replace")
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at < 2 and not body.startswith(mark):
        raise MalformedForm("the boundary of its content type does not occur in it")
    parts: list[Part] = []
    while len(parts) < MOST_PARTS:
        at += len(mark)
        if body[at : at + 2] == b"--":
            return parts
        head_end = body.find(b"\r\n\r\n", at, at + LONGEST_HEAD)
        part_end = body.find(b"\r\n" + mark, head_end + 2) if head_end >= 0 else -1
        if part_end < 0:
            raise MalformedForm("a part does not end")
        head = body[at:head_end]
        name = NAME.search(head)
        if name is not None:
            label = (name[1] or name[2] or b"").decode("utf-8", "replace")
            parts.append(Part(label, body[head_end + 4 : part_end], FILE.search(head) is not None))
        at = part_end + 2
    raise MalformedForm(f"it has more than {MOST_PARTS} parts")
