"""Golden vectors: computed elsewhere, fixed for good."""

import hashlib
import math
from fractions import Fraction

import pytest

from policies.bucketing import boundaries, bucket, digest_head, growthbook_bucket, rendezvous, unit_of, unit_text

GOLDEN = [
    ("premium-model-2026-11", "u1", "3f18433042a99411", 416657),
    ("premium-model-2026-11", "u2", "9811141323edce2d", 848941),
    ("premium-model-2026-11", "user-123456", "27b94a97861e5c8f", 314703),
    ("exp-salt", "user-123456", "9ca989b2120d3a8c", 899724),
    ("a", "a", "9ae6a73ab9effb8f", 807247),
    ("a", "b", "6783a31eabf68ccc", 81548),
    ("b", "a", "89b361784ea19209", 515977),
    ("exp-1", "", "22ae2b71aafe9112", 312786),
    ("exp-1", "u1", "c291368a05220224", 566308),
    ("exp-1", " u1", "8e922609c955713e", 903806),
    ("exp-1", "U1", "c761a4c65d299f97", 81687),
    ("exp-1", "0", "37143f337b74f025", 392805),
    ("exp-1", "00", "05bc2638f5ee8380", 316224),
    ("exp-1", "größe", "80570be64c20c217", 201751),
    ("exp-1", "用户42", "385d21ae0d86e81c", 26588),
    ("exp-1", "\U0001f642", "391b1601051233ee", 937454),
    ("exp-1", "\u00e9", "edbf0a08c5b53758", 659992),
    ("exp-1", "e\u0301", "7c1ca16b01627110", 763728),
    ("exp-1", "a" * 512, "86d89150b9125c68", 244584),
    ("layer/voice", "u1", "788c43ed905c7592", 132818),
    ("holdout/global", "u1", "3a43418f4d523405", 795909),
]


@pytest.mark.parametrize(("salt", "unit", "head", "place"), GOLDEN)
def test_a_bucket_never_changes(salt, unit, head, place):
    assert f"{digest_head(f'{salt}:{unit}'):016x}" == head
    assert bucket(salt, unit) == place


@pytest.mark.parametrize(
    ("weights", "ends"),
    [
        (("33.3", "33.3", "33.4"), (333000, 666000, 1000000)),
        (("1", "1", "1"), (333333, 666666, 1000000)),
        (("99.95", "0.05"), (999500, 1000000)),
        (("90", "10"), (900000, 1000000)),
        (("0", "100"), (0, 1000000)),
    ],
)
def test_ranges_are_exact(weights, ends):
    assert boundaries(map(Fraction, weights)) == ends


def test_rendezvous_follows_its_specification():
    def score(unit, name, weight):
        head = int.from_bytes(hashlib.sha256(f"s:{unit}:{name}".encode()).digest()[:8], "big")
        return -math.log(((head >> 11) + 0.5) / 2**53) / weight

    weights = [("a", 20.0), ("b", 30.0), ("c", 50.0)]
    for number in range(200):
        unit = f"u{number}"
        expected = min(weights, key=lambda pair: (score(unit, *pair), pair[0]))[0]
        assert rendezvous("s", unit, weights) == expected


def test_the_order_of_weights_does_not_matter_and_nobody_meets_a_weight_of_zero():
    weights = [("b", 40.0), ("zero", 0.0), ("a", 60.0)]
    drawn = [rendezvous("s", f"u{number}", weights) for number in range(500)]
    assert drawn == [rendezvous("s", f"u{number}", weights[::-1]) for number in range(500)]
    assert set(drawn) == {"a", "b"}


def test_equal_scores_go_to_the_smaller_id(monkeypatch):
    monkeypatch.setattr("policies.bucketing.digest_head", lambda _: 1 << 60)
    assert rendezvous("s", "u", [("b", 50.0), ("a", 50.0)]) == "a"
    assert rendezvous("s", "u", [("a", 50.0), ("b", 50.0)]) == "a"


@pytest.mark.parametrize("head", [0, 2**64 - 1])
def test_no_hash_is_out_of_reach_of_the_logarithm(monkeypatch, head):
    monkeypatch.setattr("policies.bucketing.digest_head", lambda _: head)
    assert rendezvous("s", "u", [("a", 1.0)]) == "a"


@pytest.mark.parametrize(
    ("seed", "unit", "place"),
    [
        ("seed", "a", 505),
        ("seed", "b", 2696),
        ("foo", "ab", 2575),
        ("foo", "def", 2019),
        ("()**(%$##$%#$#", '___)((*":&', 128),
    ],
)
def test_growthbook_units_keep_their_place(seed, unit, place):
    assert growthbook_bucket(seed, unit) == place


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("u1", "u1"),
        (" U1 ", " U1 "),
        ("", None),
        (None, None),
        (42, "42"),
        (0, "0"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (math.nan, None),
        (math.inf, None),
        (["u"], None),
        ({"id": 1}, None),
    ],
)
def test_a_unit_is_written_as_json_writes_it(value, text):
    assert unit_text(value) == text


@pytest.mark.parametrize(
    ("user", "metadata", "found"),
    [
        ("u1", {"session_id": "s"}, ("user", "u1")),
        ("", {"session_id": "s"}, ("metadata.session_id", "s")),
        (None, {"session_id": 7}, ("metadata.session_id", "7")),
        (None, {"caller": {"id": "c"}}, ("metadata.caller.id", "c")),
        (None, {"caller.id": "flat"}, ("metadata.caller.id", "flat")),
        (None, {"caller": "text", "device": "d"}, ("device", "d")),
        (None, {"session_id": None, "caller": {}}, None),
        (None, {}, None),
    ],
)
def test_the_first_key_that_is_there_is_the_unit(user, metadata, found):
    keys = ("user", "metadata.session_id", "metadata.caller.id", "device")
    assert unit_of(keys, user, metadata) == found


def test_half_a_character_is_a_unit_too():
    assert 0 <= bucket("s", "\ud800") < 1_000_000
    assert 0 <= growthbook_bucket("s", "\ud800") < 10_000
