"""From the text a model writes to the text a voice reads: no markdown, no emoji, no addresses, no stage directions.

Steering tags (`[say warmly]`, `<break time="1s"/>`) belong to the speech model alone: they are kept for a voice that
understands them, dropped for one that would read them aloud, and never part of a transcript. Every character that is
spoken remembers where it stood, so that what was heard can be cut out of what was written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

TAG_NAMES = (
    "break|breath|breathe|chuckle|cough|emotion|emphasis|gasp|laugh|pause|phoneme|pitch|prosody|rate|say-as|sigh|speak"
    "|speed|spell|sub|voice|volume|whisper|yawn"
)
TAG = rf"\[[a-z][a-z ,'’-]{{0,79}}\](?![(\[:])|</?(?:{TAG_NAMES})(?:\s[^<>]{{0,200}})?/?>"
EMOJI = (
    r"[\U0001F000-\U0001FAFF☀-➿⬀-⯿⌀-⏿←-⇿"
    r"︎️‍⃣\U000E0020-\U000E007F•●■□▪▫]"
)
TAGS = re.compile(TAG)
PARTS = re.compile(
    rf"(?P<tag>{TAG})"
    r"|(?P<link>!?\[(?P<label>[^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\))"
    r"|(?P<url>https?://(?:www\.)?(?P<host>[^\s/?#<>()]+)(?:[/?#][^\s<>()]*[^\s<>().,;:!?'\"*_])?/?)"
    r"|(?P<html></?[A-Za-z][^<>\n]{0,200}>)"
    r"|(?P<cite>\[\^?\d{1,3}\])"
    r"|(?P<rule>^[ \t]*(?:[-*_|:=][ \t]*){3,}$)"
    r"|(?P<lead>^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+(?:\[[ xX]\][ \t]+)?))"
    r"|(?P<mark>\*{2,3}|~~|`+|(?<!\w)_{1,3}(?=\w)|(?<=[\w.,!?;:)])_{1,3}(?!\w)|(?<!\s)\*|\*(?!\s))"
    r"|(?P<bar>[ \t]*\|[ \t]*)"
    rf"|(?P<emoji>{EMOJI})",
    re.MULTILINE,
)
GLUED = frozenset(".,;:!?)…。、，！？")


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a voice gets. `origin[i]` is the place in the source of the character `text[i]`."""

    text: str
    origin: tuple[int, ...]


def without_tags(source: str) -> str:
    """The transcript: what was written, without the directions for the voice."""
    kept, at = [], 0
    for match in TAGS.finditer(source):
        kept.append(source[at : match.start()])
        at = match.end()
        if source[at : at + 1] == " " and (match.start() == 0 or source[match.start() - 1].isspace()):
            at += 1  # the space that set the tag apart goes with it
    kept.append(source[at:])
    return "".join(kept)


def _pieces(source: str, base: int, *, keep_tags: bool) -> Iterator[tuple[str, int]]:
    """Characters to be spoken, each with its place; one space stands for a removed thing."""
    at = 0
    for match in PARTS.finditer(source):
        yield from ((source[n], base + n) for n in range(at, match.start()))
        at = match.end()
        kind = match.lastgroup
        if match.group("tag") is not None:
            if keep_tags:
                yield from ((source[n], base + n) for n in range(match.start(), match.end()))
        elif match.group("link") is not None:
            yield from _pieces(match.group("label"), base + match.start("label"), keep_tags=keep_tags)
        elif match.group("url") is not None:
            yield from ((source[n], base + n) for n in range(*match.span("host")))
        elif kind in ("bar", "emoji"):
            yield " ", base + match.start()
    yield from ((source[n], base + n) for n in range(at, len(source)))


def speakable(source: str, *, keep_tags: bool = False) -> Spoken:
    """What of `source` is read aloud, white space collapsed. Empty when there is nothing to say in it."""
    text: list[str] = []
    origin: list[int] = []
    for char, place in _pieces(source, 0, keep_tags=keep_tags):
        if char.isspace():
            if text and text[-1] != " ":
                text.append(" ")
                origin.append(place)
            continue
        if char in GLUED and len(text) > 1 and text[-1] == " " and text[-2].isalnum():
            text.pop()
            origin.pop()
        text.append(char)
        origin.append(place)
    while text and text[-1] == " ":
        text.pop()
        origin.pop()
    whole = "".join(text)
    said = TAGS.sub("", whole) if keep_tags else whole
    if not any(char.isalnum() for char in said):
        return Spoken("", ())
    return Spoken(whole, tuple(origin))
