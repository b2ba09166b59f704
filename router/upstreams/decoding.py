"""Content codings an upstream may answer with although it was asked not to: gzip and deflate, opened in small steps.

What comes out of one step is bounded, so a bomb costs its reader's patience and no memory.
"""

import zlib
from collections.abc import Mapping

from policies import Outcome

from .base import UpstreamFault

STEP_BYTES = 64 * 1024


class Inflater:
    """Streaming gzip or deflate (both the zlib and the raw spelling)."""

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._raw = coding == "deflate"
        self._engine = zlib.decompressobj(wbits=31 if coding == "gzip" else 15)
        self._input = b""
        self._started = False

    def feed(self, data: bytes) -> None:
        """Add encoded bytes."""
        self._input = self._input + data if self._input else data

    def take(self) -> bytes:
        """At most 64 KiB of decoded bytes; b"" when more input is needed. Raises UpstreamFault(decode_error)."""
        while self._input and not self._engine.eof:
            encoded, self._input = self._input, b""
            try:
                decoded = self._engine.decompress(encoded, STEP_BYTES)
            except zlib.error as error:
                if self._raw and not self._started:
                    self._raw = False
                    self._engine, self._input = zlib.decompressobj(wbits=-15), encoded
                    continue
                raise UpstreamFault(Outcome.DECODE_ERROR, f"the body is not {self._coding}") from error
            self._started = True
            self._input = self._engine.unconsumed_tail or self._engine.unused_data
            if decoded:
                return decoded
        if self._input:
            raise UpstreamFault(Outcome.DECODE_ERROR, f"bytes after the end of the {self._coding} body")
        return b""

    def finish(self) -> None:
        """The body is over. Raises UpstreamFault(decode_error) when the coding is not."""
        if self._started and not self._engine.eof:
            raise UpstreamFault(Outcome.DECODE_ERROR, f"the {self._coding} body ends in the middle")


def inflater_for(headers: Mapping[str, str]) -> Inflater | None:
    """The decoder `content-encoding` asks for. Raises UpstreamFault(decode_error) for codings nobody asked for."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding in ("", "identity"):
        return None
    if coding in ("gzip", "x-gzip", "deflate"):
        return Inflater(coding.removeprefix("x-"))
    raise UpstreamFault(Outcome.DECODE_ERROR, "the body has a content-encoding that was not asked for")
