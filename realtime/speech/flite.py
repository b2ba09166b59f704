"""The flite synthesiser through ctypes: sentences to samples in this process, with measured word times.

flite (BSD-style licence) comes with the operating system as `libflite.so.1` and one library for each voice. Its calls
release the interpreter lock; they are not known to be safe in parallel, so one lock serialises them.
"""

import ctypes
import ctypes.util
import re
import threading
import unicodedata
from collections.abc import Iterator
from functools import cache

import numpy as np

from realtime.audio.formats import Samples
from realtime.stages.base import WordTime

LOCK = threading.Lock()
VOICES = ("rms", "slt", "kal16", "awb", "kal")
PLAIN = {0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-", 0x2026: "."}  # quotes, dashes
RUNS = re.compile(r"\S+")


class _Wave(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("count", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


SIGNATURES = {
    "flite_init": (ctypes.c_int, []),
    "flite_synth_text": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_void_p]),
    "utt_wave": (ctypes.POINTER(_Wave), [ctypes.c_void_p]),
    "utt_relation": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    "relation_head": (ctypes.c_void_p, [ctypes.c_void_p]),
    "item_next": (ctypes.c_void_p, [ctypes.c_void_p]),
    "flite_ffeature_string": (ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_char_p]),
    "flite_ffeature_float": (ctypes.c_float, [ctypes.c_void_p, ctypes.c_char_p]),
    "flite_feat_set_float": (None, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]),
    "delete_utterance": (None, [ctypes.c_void_p]),
}
WORD_START = b"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
WORD_END = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"


def _library(name: str) -> ctypes.CDLL | None:
    for candidate in (f"lib{name}.so.1", ctypes.util.find_library(name)):
        if candidate:
            try:
                return ctypes.CDLL(candidate)
            except OSError:
                continue
    return None


@cache
def _flite() -> ctypes.CDLL | None:
    library = _library("flite")
    if library is None:
        return None
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    library.flite_init()
    return library


@cache
def _voice(name: str) -> int | None:
    """The voice's address, loaded once and kept for the life of the program."""
    if _flite() is None or name not in VOICES:
        return None
    library = _library(f"flite_cmu_us_{name}")
    if library is None:
        return None
    register = getattr(library, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    register.argtypes = [ctypes.c_char_p]
    address: int | None = register(None)
    return address


def available(voice: str) -> bool:
    """Whether this machine has the library and the voice."""
    return _voice(voice) is not None


def ascii_text(text: str) -> str:
    """The text as the English voices can read it, character for character: accents dropped, the rest a space."""
    return "".join(char if " " <= char <= "~" else _folded(char) for char in text)


def _folded(char: str) -> str:
    plain = PLAIN.get(ord(char))
    if plain:
        return plain
    first = unicodedata.normalize("NFKD", char)[:1]
    return first if " " < first <= "~" else " "


def synthesise(text: str, voice: str, *, speed: float = 1.0) -> tuple[Samples, int, tuple[WordTime, ...]]:
    """Samples, their rate and the time of each word of `text`. Blocks: 1-3 ms (kal16) to 90 ms a sentence.

    Raises LookupError when the library or voice is not installed.
    """
    flite, address = _flite(), _voice(voice)
    if flite is None or address is None:
        raise LookupError(f"flite or its voice {voice!r} is not installed")
    readable = ascii_text(text)
    if not any(char.isalnum() for char in readable):
        return np.zeros(0, dtype=np.int16), 16_000, ()
    with LOCK:
        return _synthesised(flite, address, text, readable, speed)


def _synthesised(
    flite: ctypes.CDLL, address: int, text: str, readable: str, speed: float
) -> tuple[Samples, int, tuple[WordTime, ...]]:
    features = ctypes.cast(address, ctypes.POINTER(ctypes.c_void_p))[1]  # struct: name, features, …
    flite.flite_feat_set_float(features, b"duration_stretch", 1 / speed)
    utterance = flite.flite_synth_text(readable.encode("ascii"), address)
    try:
        wave = flite.utt_wave(utterance).contents
        samples = np.ctypeslib.as_array(wave.samples, (wave.count * wave.channels,)).copy()
        total_ms = wave.count * 1000 / wave.rate
        words = tuple(_words(flite, utterance, text, readable, total_ms))
        return samples, wave.rate, words
    finally:
        flite.delete_utterance(utterance)


def _words(flite: ctypes.CDLL, utterance: int, text: str, readable: str, total_ms: float) -> Iterator[WordTime]:
    """Each whitespace-delimited run of the text that was said, from flite's tokens in order."""
    runs = [(match.start(), match.end()) for match in RUNS.finditer(readable)]
    token = flite.relation_head(flite.utt_relation(utterance, b"Token"))
    at = 0
    reached_ms = 0.0
    while token and at < len(runs):
        name = flite.flite_ffeature_string(token, b"name").decode("ascii", "replace")
        start_ms = flite.flite_ffeature_float(token, WORD_START) * 1000
        end_ms = flite.flite_ffeature_float(token, WORD_END) * 1000
        token = flite.item_next(token)
        found = next((n for n in range(at, len(runs)) if name in readable[runs[n][0] : runs[n][1]]), None)
        if found is None or end_ms <= 0:
            continue
        first, last = runs[found]
        at = found + 1
        start_ms = max(start_ms, reached_ms)
        reached_ms = min(max(end_ms, start_ms), total_ms)
        yield WordTime(text[first:last], start_ms, reached_ms, first, last)
