"""A transcript as subtitles: a few words a line, timed where the words are."""

from collections.abc import Sequence

from realtime.stages.base import WordTime

WORDS_A_LINE = 8
Entry = tuple[float, float, str]


def _entries(text: str, words: Sequence[WordTime], duration_s: float) -> list[Entry]:
    if not words:
        return [(0.0, duration_s * 1000, text)] if text else []
    groups = [words[at : at + WORDS_A_LINE] for at in range(0, len(words), WORDS_A_LINE)]
    return [(group[0].start_ms, group[-1].end_ms, " ".join(word.text for word in group)) for group in groups]


def _stamp(ms: float, mark: str) -> str:
    whole = round(max(0.0, ms))
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}{mark}{whole % 1000:03}"


def srt(text: str, words: Sequence[WordTime], duration_s: float) -> str:
    """SubRip."""
    entries = _entries(text, words, duration_s)
    return "".join(
        f"{number}\n{_stamp(start, ',')} --> {_stamp(end, ',')}\n{line}\n\n"
        for number, (start, end, line) in enumerate(entries, 1)
    )


def vtt(text: str, words: Sequence[WordTime], duration_s: float) -> str:
    """WebVTT."""
    entries = _entries(text, words, duration_s)
    return "WEBVTT\n\n" + "".join(
        f"{_stamp(start, '.')} --> {_stamp(end, '.')}\n{line}\n\n" for start, end, line in entries
    )
