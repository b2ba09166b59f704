"""Reading server-sent events: the same payloads however the bytes are sliced."""

import random

import pytest

from router.sse import MAX_EVENT_BYTES, EventReader, EventTooLong, event

PAYLOADS = [
    b'{"a":1}',
    '{"text":"caf\u00e9 \u65e5\u672c \U0001f600"}'.encode(),
    b'{"b":\n2}',
    b" leading space",
    b"[DONE]",
]
STREAM = (
    b"\xef\xbb\xbf: a comment\r\n\r\n"
    b"event: message\rid: 7\rretry: 10\rdata: "
    + PAYLOADS[0]
    + b"\r\r"
    + b"data:"
    + PAYLOADS[1]
    + b"\r\n\r\n: ping\n\n"
    + b'data: {"b":\ndata: 2}\n\n'
    + b"data:  leading space\n\n"
    + b"data\n\n: nothing\n\n"
    + b"data: [DONE]\n\n"
)


def read(*slices):
    reader = EventReader()
    return [payload for piece in slices for payload in reader.feed(piece)] + reader.end()


def test_ten_thousand_random_slicings_read_the_same():
    chance = random.Random(7)
    for _ in range(10_000):
        cuts = sorted(chance.sample(range(1, len(STREAM)), chance.randint(0, 12)))
        slices = [STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
        assert read(*slices) == PAYLOADS


def test_single_bytes_read_the_same():
    assert read(*(STREAM[n : n + 1] for n in range(len(STREAM)))) == PAYLOADS


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_plain_events_read_the_same_in_any_size(size):
    plain = b"".join(event(b'{"n":%d}' % n) for n in range(50))
    slices = [plain[n : n + size] for n in range(0, len(plain), size)]
    assert read(*slices) == read(plain) == [b'{"n":%d}' % n for n in range(50)]


def test_many_events_at_once_take_the_short_way():
    reader = EventReader()
    assert reader.feed(event(b"1")) == [b"1"]
    assert reader.feed(event(b"2") + event(b"3")) == [b"2", b"3"]
    assert reader.feed(b": ping\n\n" + event(b"4")) == [b"4"]
    assert reader.feed(b"data: 5\ndata: 6\n\n") == [b"5\n6"]


def test_bytes_that_are_no_utf8_are_replaced():
    reader = EventReader()
    assert reader.feed(b"data: \xff\n\n") == ["\ufffd".encode()]
    assert reader.feed(b"data: \xfe\n\n") == ["\ufffd".encode()]


def test_an_event_without_its_blank_line_counts_at_the_clean_end():
    assert read(b"data: [DONE]") == [b"[DONE]"]
    assert read(b"") == []


@pytest.mark.parametrize("piece", [b"x" * 100_000, b"data: " + b"x" * 100_000 + b"\n"])
def test_an_event_beyond_the_cap_is_refused(piece):
    reader = EventReader()
    for _ in range(MAX_EVENT_BYTES // 100_006):
        assert reader.feed(piece) == []
    with pytest.raises(EventTooLong):
        reader.feed(piece * 2)


def test_comments_may_go_on_for_ever():
    reader = EventReader()
    assert all(reader.feed(b": " + b"x" * 100_000 + b"\n") == [] for _ in range(100))


def test_a_payload_of_several_lines_is_written_as_several_data_lines():
    assert event(b"a\nb") == b"data: a\ndata: b\n\n"
