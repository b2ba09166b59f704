"""Speaks with the espeak-ng library in a process of its own: the library is GPL and never enters the server's.

Command on stdin (one byte `t`, 4-byte little-endian length, payload): a 4-byte number and a JSON object with `text`,
`voice` and `words_per_minute`. Answer: one JSON line with the number, sample rate, words as [first character, length,
milliseconds] and "bytes", then so many bytes of s16le samples. Without arguments: the bundled library is used.
"""

import ctypes
import json
import struct
import sys
from typing import Any

SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT
RATE_PARAMETER = 1  # espeakRATE
UTF8 = 1
EVENT_END, EVENT_WORD = 0, 1


class _Event(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("position", ctypes.c_int),  # of the character, from 1
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("identity", ctypes.c_int64),
    )


CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Voice:
    """The library, once."""

    def __init__(self) -> None:
        import espeakng_loader  # noqa: PLC0415  only this process may load it

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 40, espeakng_loader.get_data_path().encode(), 0)
        if self.rate <= 0:
            sys.exit("espeak-ng could not be initialised")
        self.pcm = bytearray()
        self.words: list[tuple[int, int, int]] = []
        self.callback = CALLBACK(self._receive)  # kept: the library holds only its address
        self.library.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if count > 0 and samples:
            self.pcm += ctypes.string_at(samples, count * 2)
        at = 0
        while events[at].kind != EVENT_END:
            if events[at].kind == EVENT_WORD:
                self.words.append((events[at].position - 1, events[at].length, events[at].audio_ms))
            at += 1
        return 0

    def speak(self, wish: dict[str, Any]) -> None:
        """Fill `pcm` and `words`."""
        self.pcm.clear()
        self.words.clear()
        if self.library.espeak_SetVoiceByName(str(wish["voice"]).encode()) != 0:
            self.library.espeak_SetVoiceByName(b"en-us")
        self.library.espeak_SetParameter(RATE_PARAMETER, int(wish["words_per_minute"]), 0)
        text = str(wish["text"]).replace("\0", " ").encode()
        self.library.espeak_Synth(text, len(text) + 1, 0, 1, 0, UTF8, None, None)
        self.library.espeak_Synchronize()


def main() -> None:
    """Serve until stdin ends."""
    voice = Voice()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(5)) == 5:
        (size,) = struct.unpack("<I", head[1:])
        payload = source.read(size)
        if len(payload) < size:
            return
        (number,) = struct.unpack("<I", payload[:4])
        voice.speak(json.loads(payload[4:]))
        answer = {"n": number, "rate": voice.rate, "words": voice.words, "bytes": len(voice.pcm)}
        sink.write(json.dumps(answer).encode() + b"\n" + voice.pcm)
        sink.flush()


if __name__ == "__main__":
    main()
