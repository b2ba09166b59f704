"""What the fixed work on a session's audio costs: `python -m benchmarks.audio [--json]`, one thread, a few seconds.

Prints microseconds for each 20 ms chunk of resampling and G.711, for each 32 ms frame of batched voice activity
detection at 1, 25 and 100 sessions, and the share of a core that 100 full-duplex sessions take of all that.
"""

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded: its threads would steal the other cores

import numpy as np

from realtime.audio import g711
from realtime.audio.resample import Resampler
from realtime.stages.chunker import chunks_of
from realtime.stages.silero import shared_silero
from realtime.stages.vad import VadBatcher
from realtime.stages.voice_profile import voice_profile

SECONDS = 0.25
FRAMES_A_SECOND = 16_000 / 512
CHUNKS_A_SECOND = 50


def cost_us(work: Callable[[], object], per: int = 1) -> float:
    """CPU time, best of three runs: what else the machine does can only add."""
    best = float("inf")
    for _ in range(3):
        count, begun = 0, time.thread_time()
        while (spent := time.thread_time() - begun) < SECONDS:
            work()
            count += 1
        best = min(best, spent / count / per * 1e6)
    return round(best, 2)


def vad_round(sessions: int) -> Callable[[], None]:
    """One frame of every session, scored."""
    waiting: deque[Callable[[], None]] = deque()
    batcher = VadBatcher(shared_silero(), waiting.append)
    streams = [batcher.stream(lambda _probability, _frame: None) for _ in range(sessions)]
    frame = np.random.default_rng(1).normal(0, 3000, 512).astype(np.int16).tobytes()

    def work() -> None:
        for stream in streams:
            stream.feed(frame)
        while waiting:
            waiting.popleft()()

    return work


def measured() -> dict[str, float]:
    """All figures by name."""
    rng = np.random.default_rng(0)
    figures: dict[str, float] = {}
    for source, target in ((24_000, 16_000), (16_000, 24_000), (8_000, 16_000), (24_000, 8_000), (48_000, 16_000)):
        stream = Resampler(source, target)
        chunk = rng.normal(0, 3000, source // 50).astype(np.int16)
        figures[f"resample_{source // 1000}k_{target // 1000}k_us_per_chunk"] = cost_us(partial(stream.feed, chunk))
    line = rng.normal(0, 3000, 160).astype(np.int16)
    codes = g711.encode_ulaw(line)
    figures["ulaw_decode_us_per_chunk"] = cost_us(lambda: g711.decode_ulaw(codes))
    figures["ulaw_encode_us_per_chunk"] = cost_us(lambda: g711.encode_ulaw(line))
    for sessions in (1, 25, 100):
        figures[f"vad_{sessions}_sessions_us_per_frame"] = cost_us(vad_round(sessions), sessions)
    text = "Hello there, my friend. It costs $3.50, e.g. at 10:30 a.m. in the U.S. How are you? " * 10
    figures["chunker_us_per_character"] = cost_us(lambda: chunks_of(text), len(text))
    speech = rng.normal(0, 3000, 5 * 16_000).astype(np.int16)
    figures["voice_profile_us_per_utterance"] = cost_us(lambda: voice_profile(speech))
    both_ways_us = figures["resample_24k_16k_us_per_chunk"] + figures["resample_16k_24k_us_per_chunk"]
    busy_us = 100 * (CHUNKS_A_SECOND * both_ways_us + FRAMES_A_SECOND * figures["vad_100_sessions_us_per_frame"])
    figures["core_percent_of_100_sessions"] = round(busy_us / 1e6 * 100, 1)
    return figures


def main() -> None:
    """Print the figures."""
    figures = measured()
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:>10}")


if __name__ == "__main__":
    main()
