"""Fields are found in a form without touching the file in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Refusal
from router.proxy.forms import form_fields

TYPE = "multipart/form-data; boundary=XX"


def form(*parts):
    return b"".join(b"--XX\r\n" + head + b"\r\n\r\n" + value + b"\r\n" for head, value in parts) + b"--XX--\r\n"


FILE = (
    b'Content-Disposition: form-data; name="model"; filename="model"\r\nContent-Type: audio/wav',
    b"\x00\r\n--X\r\n" * 99,
)
MODEL = (b'Content-Disposition: form-data; name="model"', b"whisper-1")


def test_model_is_found_before_and_after_a_file():
    assert form_fields(TYPE, form(FILE, MODEL), ("model",)) == {"model": "whisper-1"}
    assert form_fields(TYPE, form(MODEL, FILE), ("model", "stream")) == {"model": "whisper-1"}
    assert form_fields('multipart/form-data; boundary="XX"', b"preamble\r\n" + form(MODEL), ("model",))
    assert form_fields(TYPE, form(FILE), ("model",)) == {}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", form(MODEL)),
        (TYPE, b""),
        (TYPE, b"hello"),
        (TYPE, b"--XX\r\n"),
        (TYPE, form(MODEL)[:-10]),
        (TYPE, form(*[FILE] * 200)),
        (TYPE, form((MODEL[0], b"x" * 5000))),
    ],
)
def test_a_broken_form_is_400(kind, body):
    with pytest.raises(Refusal) as caught:
        form_fields(kind, body, ("model",))
    assert caught.value.status == 400


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(noise):
    try:
        found = form_fields(TYPE, b"--XX\r\n" + noise, ("model",))
    except Refusal as refusal:
        found = {"status": str(refusal.status)}
    assert isinstance(found, dict)
