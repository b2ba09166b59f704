import pytest

from policies import Prices, SortMetric, Target, TargetHealth
from policies.ordering import Ranking, blended_usd, criterion, ordered

CHEAP = Target("p", "cheap", prices=Prices(1.0, 2.0), scores={"math": 10.0})
DEAR = Target("p", "dear", prices=Prices(2.0, 1.0), scores={"math": 90.0, "coding": 5.0})
UNKNOWN = Target("p", "unknown")
POOL = (UNKNOWN, DEAR, CHEAP)
SEEN = {
    "p/cheap": TargetHealth(latency_s=0.9, tokens_per_s=50.0),
    "p/dear": TargetHealth(latency_s=0.1, tokens_per_s=None),
    "other/model": TargetHealth(latency_s=0.01),
}


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        (("price",), ["cheap", "dear", "unknown"]),
        (("price:ascending",), ["cheap", "dear", "unknown"]),
        (("price:descending",), ["dear", "cheap", "unknown"]),
        (("latency",), ["dear", "cheap", "unknown"]),
        (("latency:descending",), ["cheap", "dear", "unknown"]),
        (("throughput",), ["cheap", "unknown", "dear"]),
        (("math",), ["dear", "cheap", "unknown"]),
        (("math:ascending",), ["cheap", "dear", "unknown"]),
        (("coding", "price"), ["dear", "cheap", "unknown"]),
        (("intelligence", "price"), ["cheap", "dear", "unknown"]),
        (("throughput", "latency"), ["cheap", "dear", "unknown"]),
        ((), ["unknown", "dear", "cheap"]),
        (("beauty",), ["unknown", "dear", "cheap"]),
    ],
)
def test_the_best_comes_first_and_the_unknown_last(sort, names):
    assert ordered(POOL, sort, SEEN) == tuple(f"p/{name}" for name in names)


def test_three_parts_input_and_one_part_output_are_the_price():
    assert blended_usd(CHEAP) == 1.25
    assert blended_usd(UNKNOWN) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("price", (SortMetric.PRICE, False)),
        ("latency:descending", (SortMetric.LATENCY, True)),
        ("coding", (SortMetric.CODING, True)),
        ("coding:ascending", (SortMetric.CODING, False)),
        ("speed", None),
        ("price:sideways", None),
        ("", None),
    ],
)
def test_a_criterion_knows_its_best_end(text, found):
    assert criterion(text) == found


def test_nothing_measured_leaves_the_order_given():
    assert Ranking(POOL, ("latency",)).order({}) == ("p/unknown", "p/dear", "p/cheap")
    assert not Ranking(POOL, ("price",)).measured
    assert not Ranking(POOL[:1], ("latency",)).measured
