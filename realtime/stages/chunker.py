"""Cut a stream of text into what is spoken next: whole sentences, the first one as early as a clause allows.

A sentence end counts once the next character confirms it; abbreviations whose point may or may not end a sentence wait
for the next letter. Nothing is cut inside numbers, times, initials, addresses and tags. Every decision looks at the
text alone, character by character, so the same text gives the same chunks however it was cut into tokens, and the
chunks put together are the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .speakable import Spoken, speakable, without_tags

MAX_CHARS = 200
FIRST_CLAUSE_CHARS = 12
MAX_TAG_CHARS = 90

ENDS = frozenset(".!?…")
WIDE_ENDS = frozenset("。！？｡॥।؟۔")
CLAUSES = frozenset(",;:—")
WIDE_CLAUSES = frozenset("、，；：")
CLOSERS = frozenset("\"')]}»”’*_`」』）】")
# A point after these never ends a sentence; after the others it does when a capital letter follows.
TITLES = (
    "dr mr mrs ms mx prof rev hon gen capt lt sgt rep gov st mt vs e.g i.e cf fig figs eq ca approx dept pp nr z.b d.h"
    " bzw usw ggf u.a sr sra srta dña dn mme mlle av bd avda núm pág tel"
)
OPEN = (
    "etc inc ltd co corp jr esq a.m p.m u.s u.s.a u.k u.n e.u d.c ph.d b.a m.a b.c a.d no ave blvd rd min max avg ext"
    " jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri sat sun oz lb ft in art sec al"
    " vol ch est col sen pres mm"
)
NEVER_ENDS = frozenset(TITLES.split())
MAY_END = frozenset(OPEN.split())
QUIET = ENDS | WIDE_ENDS | WIDE_CLAUSES | CLOSERS  # after any other character inside a word nothing can be decided


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of the answer. `source` is as the model wrote it; `start` is its place in the whole answer."""

    source: str
    start: int
    code: bool = False  # a line of a code block: shown, never read aloud
    read: str | None = None  # what of the source is read aloud, where that is not all of it

    @property
    def text(self) -> str:
        """Its part of the transcript."""
        return without_tags(self.source)

    def spoken(self, *, keep_tags: bool = False) -> Spoken:
        """Its part of the speech; empty text: nothing to say."""
        return speakable(self.aloud, keep_tags=keep_tags)

    @property
    def aloud(self) -> str:
        """The part of the source that is read aloud."""
        if self.read is not None:
            return self.read
        return "" if self.code else self.source


class Chunker:
    """One answer's text, as it comes."""

    __slots__ = ("_clause_chars", "_code", "_first", "_scanned", "_start", "_text")

    def __init__(self, clause_chars: int | None = FIRST_CLAUSE_CHARS) -> None:
        """The first chunk may end at a clause of so many characters; None: at the end of a sentence only."""
        self._clause_chars = clause_chars
        self._text = ""  # from the last cut on
        self._start = 0
        self._scanned = 0  # characters of _text that were looked at
        self._first = True
        self._code = False

    def feed(self, token: str) -> list[Chunk]:
        """More text; the chunks it completes."""
        whole = self._text + token
        if len(whole) < MAX_CHARS and token.replace(" ", "").isalnum() and self._text.rstrip()[-1:].isalnum():
            self._text, self._scanned = whole, len(whole)  # words after words: nothing can be decided there
            return []
        self._text = whole
        chunks: list[Chunk] = []
        while (at := self._scanned) < len(self._text):
            self._scanned += 1
            if 0 < at < MAX_CHARS - 1 and self._text[at - 1].isalnum() and self._text[at].isalnum():
                continue  # nearly every character: inside a word nothing can be decided
            cut = self._cut_after(at)
            if cut:
                chunks.append(self._take(cut))
        return chunks

    def flush(self) -> list[Chunk]:
        """The text ended, or a tool call interrupts it: the rest is a chunk."""
        return [self._take(len(self._text))] if self._text else []

    def _take(self, cut: int) -> Chunk:
        source, self._text = self._text[:cut], self._text[cut:]
        fence = source.lstrip().startswith("```")
        chunk = Chunk(source, self._start, code=self._code or fence)
        if fence:
            self._code = not self._code and source.count("```") == 1
        self._start += cut
        self._scanned = 0
        if not chunk.code and any(char.isalnum() for char in source):
            self._first = False
        return chunk

    def _cut_after(self, at: int) -> int:
        """Where to cut now that the character at `at` is known; 0: nowhere yet."""
        text, char = self._text, self._text[at]
        if at and not char.isspace() and at + 1 < MAX_CHARS:
            before = text[at - 1]
            if not before.isspace() and before not in QUIET:
                return 0
        if char == "\n":
            return at + 1 if text[:at].strip() else 0
        if self._code or text.lstrip().startswith("```"):
            return at + 1 if at + 1 >= MAX_CHARS else 0
        if not self._in_tag(at):
            cut = self._sentence_end(at) or self._first_clause(at)
            if cut:
                return cut
        return self._forced(at) if at + 1 >= MAX_CHARS else 0

    def _in_tag(self, at: int) -> bool:
        text = self._text
        for opening, closing in (("[", "]"), ("<", ">")):
            begun = text.rfind(opening, max(0, at - MAX_TAG_CHARS), at)
            if begun >= 0 and text.find(closing, begun, at) < 0:
                following = text[begun + 1]
                if opening == "[" or following.isalpha() or following == "/":
                    return True
        return False

    def _sentence_end(self, at: int) -> int:
        """The end of a sentence that the character at `at` confirms."""
        text, char = self._text, self._text[at]
        end = at  # just behind the sentence, closing marks included
        waited = False
        if not char.isspace():
            while end > 0 and text[end - 1].isspace():
                end -= 1
            waited = end < at
        mark = end
        while mark > 0 and text[mark - 1] in CLOSERS:
            mark -= 1
        if mark == 0 or char in CLOSERS:
            return 0
        last = text[mark - 1]
        if last in WIDE_ENDS:
            return 0 if char in WIDE_ENDS or waited else end
        if last not in ENDS or char in ENDS:
            return 0
        if not (char.isspace() or waited):
            return end if last in "!?" and char.isupper() else 0
        verdict = _ends_sentence(text[:mark])
        if verdict is None:  # the next letter tells
            return end if waited and (char.isupper() or char in '"“¿¡') else 0
        return end if verdict and not waited else 0

    def _first_clause(self, at: int) -> int:
        least = self._clause_chars
        if not self._first or least is None or at < least:
            return 0
        text, last = self._text, self._text[at - 1]
        if last in WIDE_CLAUSES or (last in CLAUSES and text[at].isspace()):
            enough = len(speakable(text[:at]).text) >= least
            return at if enough else 0
        return 0

    def _forced(self, at: int) -> int:
        """The best place in a stretch that has become too long."""
        text = self._text[: at + 1]
        begun = max(text.rfind("["), text.rfind("<"))
        if self._in_tag(at) and begun > 0:
            text = text[:begun]
        spaces = [n for n in range(1, len(text)) if text[n].isspace()]
        clauses = [n for n in spaces if text[n - 1] in CLAUSES]
        wide = [n + 1 for n in range(len(text) - 1) if text[n] in WIDE_CLAUSES]
        best = max(clauses[-1:] + wide[-1:], default=0)
        if best >= FIRST_CLAUSE_CHARS:
            return best
        return spaces[-1] if spaces and spaces[-1] >= FIRST_CLAUSE_CHARS else len(text)


def _ends_sentence(head: str) -> bool | None:
    """Whether the mark at the end of `head`, before white space, ends a sentence; None: the next letter decides."""
    if head[-1] in "!?":
        return True
    if head.endswith(("..", "…")):
        return None
    space = max(head.rfind(" "), head.rfind("\n"), head.rfind("\t"))
    word = head[space + 1 : -1].lstrip("\"'([{*_“‘¿¡-")
    lower = word.lower()
    if lower in NEVER_ENDS:
        return False
    if lower in MAY_END:
        return None
    if "." in word and all(len(part) == 1 for part in word.split(".")):
        return False  # initials
    if len(word) == 1 and word.isalpha() and word != "I":
        return False  # an initial
    list_entry = word.isdigit() and not head[: space + 1].rsplit("\n", 1)[-1].strip(" \t>*-")
    return not list_entry


def merged(chunks: Sequence[Chunk], longest: int) -> list[Chunk]:
    """Neighbouring chunks as one, as long as they have no more than `longest` characters together."""
    groups: list[list[Chunk]] = []
    size = 0
    for chunk in chunks:
        size += len(chunk.source)
        if not groups or size > longest:
            groups.append([])
            size = len(chunk.source)
        groups[-1].append(chunk)
    return [
        Chunk("".join(one.source for one in group), group[0].start, read="".join(one.aloud for one in group))
        for group in groups
    ]


def chunks_of(text: str) -> list[Chunk]:
    """A whole text at once."""
    chunker = Chunker()
    return [*chunker.feed(text), *chunker.flush()]
