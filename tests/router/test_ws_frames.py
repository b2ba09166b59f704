"""Frames are found at their boundaries, whatever their length and wherever a read ends."""

import pytest
from websockets.frames import Frame, Opcode

from router.ws_frames import head_at, text_head

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("masked", [True, False])
def test_a_head_bounds_its_payload_and_is_unknown_until_it_is_whole(size, masked):
    written = Frame(Opcode.TEXT, b"x" * size).serialize(mask=masked)
    first, is_masked, start, end = head_at(b"??" + written, 2)
    assert (first, is_masked, end) == (0x81, masked, len(written) + 2)
    assert end - start == size
    whole = start - 2
    assert [head_at(written[:some], 0) for some in range(whole)] == [None] * whole
    assert head_at(written[:whole], 0) is not None


@pytest.mark.parametrize("size", SIZES)
def test_a_text_frame_begins_as_the_library_writes_it(size):
    assert text_head(size) + b"x" * size == Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
