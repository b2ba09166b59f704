"""Our fields in a provider's JSON, without reading it again where that is safe."""

import orjson
import pytest

from router.splice import spliced, with_form_model

OURS = {"attempts": []}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a":1}', {"a": 1, "metadata": OURS}),
        (b"{}", {"metadata": OURS}),
        (b' { "a" : 1 } \n', {"a": 1, "metadata": OURS}),
        (b'{"a":1,"metadata":{"theirs":1}}', {"a": 1, "metadata": OURS}),
        (b'{"model":"x","a":{"metadata":1}}', {"model": "p/x", "a": {"metadata": 1}, "metadata": OURS}),
        (b'{"model": "x"}', {"model": "p/x", "metadata": OURS}),
        (b'{"inner":{"model":"x"},"model":"x"}', {"inner": {"model": "x"}, "model": "p/x", "metadata": OURS}),
        (
            b'{"text":"say \\"model\\":\\"x\\"","model":"x"}',
            {"text": 'say "model":"x"', "model": "p/x", "metadata": OURS},
        ),
    ],
)
def test_metadata_and_model_are_ours_and_everything_else_is_kept(body, expected):
    assert orjson.loads(spliced(body, OURS, "p/x")) == expected


def test_usage_that_only_we_asked_for_is_left_out():
    body = b'{"choices":[],"usage":{"total_tokens":3}}'
    assert orjson.loads(spliced(body, OURS, without_usage=True)) == {"choices": [], "metadata": OURS}
    assert orjson.loads(spliced(body, OURS))["usage"] == {"total_tokens": 3}


def test_json_that_cannot_be_read_again_goes_on_as_it_is():
    body = b'{"metadata":"\\ud800"}'
    assert spliced(body, OURS) == body


def test_a_form_without_a_model_gains_one_and_what_is_no_form_is_left_alone():
    part = b'Content-Disposition: form-data; name="model"\r\n\r\nm\r\n'
    assert with_form_model(b"--x\r\n\r\nabc\r\n--x--", "m") == b"--x\r\n" + part + b"--x\r\n\r\nabc\r\n--x--"
    assert with_form_model(b"abc", "m") == b"abc"
