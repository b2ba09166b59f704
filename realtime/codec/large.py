"""An append event with minutes of audio, taken apart: decoding it in one go would let every other session wait.

What is left without the audio is decoded as every event is; the base64 text comes in pieces. Nothing as large as
the whole is ever copied: on fresh memory a copy alone takes longer than others may wait.
"""

import re
from collections.abc import Iterator

from .items import MAX_AUDIO_BYTES, MAX_AUDIO_TEXT, audio_bytes, too_much_audio

_PIECE = 256 * 1024  # characters, a whole number of groups of four: less than a millisecond of decoding
_AUDIO = re.compile(rb'"audio"\s*:\s*"')
_LONGEST_REST = 4096


def parted(frame: bytearray) -> tuple[bytes, int, int] | None:
    """The event with empty audio, and where its audio's text begins and ends; None: decode the frame in full."""
    found = _AUDIO.search(frame, 0, _LONGEST_REST)
    if found is None:
        return None
    start, end = found.end(), frame.find(b'"', found.end())
    if end < 0 or len(frame) - (end - start) > _LONGEST_REST or frame.find(b"\\", start, end) >= 0:
        return None
    return bytes(frame[:start] + frame[end:]), start, end


def audio_pieces(frame: bytearray, start: int, end: int) -> Iterator[bytes]:
    """The audio of a base64 text, piece by piece. Raises Refusal, as for the whole."""
    if end - start > MAX_AUDIO_TEXT:
        raise too_much_audio("audio")
    left_bytes = MAX_AUDIO_BYTES
    for at in range(start, end, _PIECE):
        piece = bytes(frame[at : min(at + _PIECE, end)])
        if piece.endswith(b"=") and at + _PIECE < end:
            piece += b"="  # it ends too early: no base64
        audio = audio_bytes(piece, "audio")
        left_bytes -= len(audio)
        if left_bytes < 0:
            raise too_much_audio("audio")
        yield audio
