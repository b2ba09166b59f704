"""Judging answers: what is kept of an error, what is taken out, and how long a provider may keep us away."""

import pytest

from policies import Outcome
from router.verdict import error_detail, failed, judged, redacted, retry_after_s

NOW_S = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2000 22:13:30 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1000000000"}, 120.0),
        ({"retry-after": "soon"}, None),
    ],
)
def test_a_retry_after_is_parsed_or_ignored_and_capped(headers, expected):
    assert retry_after_s(headers, NOW_S) == expected


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "no", "type": "t", "code": "c", "param": "p"}},
        [{"error": {"message": "no", "type": "t", "code": "c", "param": "p"}}],
        {"message": "no", "type": "t", "code": "c", "param": "p"},
        {"error": {"detail": "no", "type": "t", "status": "c", "param": "p"}},
    ],
)
def test_errors_are_read_in_every_shape(document):
    error = error_detail(document, "fallback")
    assert (error.message, error.type, error.code, error.param) == ("no", "t", "c", "p")


@pytest.mark.parametrize("document", [None, [], 7, "x", {"error": None}, {"error": 7}, {"error": {"message": 7}}, {}])
def test_an_error_that_says_nothing_gets_our_words(document):
    assert error_detail(document, "HTTP status 500").message == "HTTP status 500"


def test_an_error_that_is_a_plain_text_is_its_message():
    assert error_detail({"error": "overloaded"}, "x").message == "overloaded"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop",
        "Bearer abc.def",
        "gsk_abcdefghijk",
        "AIzaSyA1234567890abcdefghij",
        "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl",
        "https://internal.example/key?x=1",
        "A" * 48,
    ],
)
def test_keys_tokens_and_addresses_are_taken_out(secret):
    shown = redacted(f"Incorrect key provided: {secret} here")
    assert secret not in shown
    assert shown.startswith("Incorrect key provided: [")


def test_a_message_is_one_line_and_capped():
    assert redacted("a\r\nb\x00c") == "a b c"
    assert len(redacted("word " * 10_000)) <= 600


def test_an_http_error_that_is_no_json_still_has_its_class():
    fault = failed(502, {}, b"<html>bad gateway</html>", NOW_S)
    assert (fault.outcome, fault.status_code, fault.error.message) == (Outcome.HTTP_5XX, 502, "HTTP status 502")


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"error": {"message": "x", "code": 429}}, 429),
        ({"error": {"message": "x", "code": "503"}}, 503),
        ({"error": {"message": "x"}, "status": 500}, 500),
        ({"error": {"message": "x", "code": "odd"}}, None),
        ({"error": {"message": "x", "code": 7}}, None),
        ({"error": {"message": "x", "code": True}}, None),
    ],
)
def test_an_error_inside_a_success_may_name_its_own_status(document, status):
    fault = judged(200, document)
    assert (fault.outcome, fault.status_code) == (Outcome.IN_BAND_ERROR, status)
