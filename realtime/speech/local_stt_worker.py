"""Recognises speech with pocketsphinx, in a process of its own: the library holds the interpreter lock while it works.

Commands on stdin (one byte, 4-byte little-endian length, payload): `s` start, with a 4-byte number of the utterance and
a byte that is 1 when partial texts are wanted; `a` audio, 16 kHz s16le; `p` the text so far; `e` end, the final text;
`c` drop the utterance. `p` and `e` carry a 4-byte number that the answer repeats. Answers are JSON lines. The only
argument is a JSON object of decoder settings.
"""

import json
import struct
import sys
from typing import Any, BinaryIO

PARTIAL_BYTES = 6_400  # look for a partial text every 200 ms of audio
FRAME_MS = 10  # of the decoder's segment times


def _exactly(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        sys.exit(0)  # the parent is gone
    return body


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


class Recogniser:
    """One decoder, one utterance at a time."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from pocketsphinx import Decoder  # noqa: PLC0415  only this process may load it

        self.decoder = Decoder(loglevel="FATAL", **settings)
        self.open = False
        self.partials = False
        self.number = 0
        self.unlooked_bytes = 0
        self.last = ""

    def start(self, flags: bytes) -> None:
        """Begin an utterance; one that is open ends."""
        self.drop()
        self.decoder.start_utt()
        self.open = True
        self.number, self.partials = struct.unpack("<I?", flags)
        self.unlooked_bytes = 0
        self.last = ""

    def audio(self, pcm: bytes) -> None:
        """More of it."""
        if not self.open or not pcm:
            return
        self.decoder.process_raw(pcm, no_search=False, full_utt=False)
        self.unlooked_bytes += len(pcm)
        if self.partials and self.unlooked_bytes >= PARTIAL_BYTES:
            self.unlooked_bytes = 0
            text = self.text()
            if text != self.last:
                self.last = text
                _say({"partial": text, "of": self.number})

    def text(self) -> str:
        """What was heard so far."""
        hypothesis = self.decoder.hyp()
        return hypothesis.hypstr if hypothesis is not None else ""

    def answer(self, number: int) -> dict[str, Any]:
        """The text with its words; times in ms from the start of the utterance."""
        words = [
            (segment.word.split("(")[0], segment.start_frame * FRAME_MS, (segment.end_frame + 1) * FRAME_MS)
            for segment in self.decoder.seg() or ()
            if not segment.word.startswith(("<", "[", "+"))
        ]
        return {"n": number, "text": self.text(), "words": words}

    def end(self) -> None:
        """No more audio."""
        if self.open:
            self.decoder.end_utt()
            self.open = False

    def drop(self) -> None:
        """Forget it."""
        self.end()


def main() -> None:
    """Serve until stdin ends."""
    recogniser = Recogniser(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
    _say({"ready": True})
    stream = sys.stdin.buffer
    while True:
        command = _exactly(stream, 1)
        (size,) = struct.unpack("<I", _exactly(stream, 4))
        payload = _exactly(stream, size)
        if command == b"s":
            recogniser.start(payload)
        elif command == b"a":
            recogniser.audio(payload)
        elif command == b"c":
            recogniser.drop()
        elif command in (b"p", b"e"):
            (number,) = struct.unpack("<I", payload[:4])
            if not recogniser.open:
                _say({"n": number, "error": "no utterance is open"})
                continue
            if command == b"e":
                recogniser.end()
            _say(recogniser.answer(number))


if __name__ == "__main__":
    main()
