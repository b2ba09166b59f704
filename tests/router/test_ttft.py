"""A limit for the first token as people write it."""

import pytest

from router.ttft import seconds


@pytest.mark.parametrize(("text", "value_s"), [("300ms", 0.3), ("1s", 1.0), ("1.5s", 1.5), ("600s", 600.0)])
def test_it_is_read_in_seconds(text, value_s):
    assert seconds(text) == pytest.approx(value_s)


@pytest.mark.parametrize("text", ["299ms", "0s", "601s"])
def test_too_hasty_and_too_patient_is_told_the_range(text):
    with pytest.raises(ValueError, match="must be from 300ms to 600s"):
        seconds(text)


@pytest.mark.parametrize("text", ["", "1", "1m", "-1s", "1e3ms", "1s\n", "fast"])
def test_what_is_no_duration_is_told_the_form(text):
    with pytest.raises(ValueError, match='such as "300ms"'):
        seconds(text)
