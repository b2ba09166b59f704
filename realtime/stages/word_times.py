"""Word times where an engine tells only part of them, or none."""

import re

from .base import WordTime

RUNS = re.compile(r"\S+")


def estimated_times(text: str, duration_ms: float) -> tuple[WordTime, ...]:
    """Words in proportion to their letters: a guess, to be flagged as one."""
    runs = list(RUNS.finditer(text))
    weights = [1 + sum(char.isalnum() for char in run.group()) for run in runs]
    scale = duration_ms / sum(weights) if weights else 0.0
    times: list[WordTime] = []
    at_ms = 0.0
    for run, weight in zip(runs, weights, strict=True):
        end_ms = at_ms + weight * scale
        times.append(WordTime(run.group(), at_ms, end_ms, run.start(), run.end()))
        at_ms = end_ms
    return tuple(times)


def until_next(text: str, starts: list[tuple[int, float]], duration_ms: float) -> tuple[WordTime, ...]:
    """Whitespace-delimited words from (character, start ms) of what an engine announced, in order.

    An engine may announce parts of a word ("10" and "30") and skip signs; a word lasts until the next one begins.
    """
    begun: list[tuple[int, int, float]] = []
    at = 0
    for run in RUNS.finditer(text):
        while at < len(starts) and starts[at][0] < run.start():
            at += 1
        if at < len(starts) and starts[at][0] < run.end():
            begun.append((run.start(), run.end(), starts[at][1]))
    times: list[WordTime] = []
    for number, (first, last, start_ms) in enumerate(begun):
        end_ms = begun[number + 1][2] if number + 1 < len(begun) else duration_ms
        times.append(WordTime(text[first:last], start_ms, max(start_ms, end_ms), first, last))
    return tuple(times)
