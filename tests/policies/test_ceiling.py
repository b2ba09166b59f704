"""The ceiling of a target: how many calls it may have under way, learnt from its 429s, on virtual time."""

import heapq
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import Ceiling


def cut(under_way=20, at=0.0):
    ceiling = Ceiling()
    ceiling.refused(under_way, began_s=at, now_s=at)
    return ceiling


def test_there_is_none_before_the_first_429():
    ceiling = Ceiling()
    ceiling.answered(1000, 5.0)
    assert ceiling.calls == math.inf


@pytest.mark.parametrize(("under_way", "left"), [(20, 15), (10, 7), (3, 2), (2, 1), (1, 1)])
def test_a_429_cuts_to_three_quarters_of_what_was_under_way_and_never_below_one(under_way, left):
    assert cut(under_way).calls == left


def test_calls_that_went_out_before_a_cut_do_not_cut_again():
    ceiling = cut(20, at=10.0)
    ceiling.refused(19, began_s=9.0, now_s=11.0)
    assert ceiling.calls == 15
    ceiling.refused(15, began_s=11.0, now_s=12.0)
    assert ceiling.calls == 11


def test_it_rises_by_one_each_ten_seconds_while_it_holds_calls_back():
    ceiling = cut(20)
    for tenth in range(1, 300):
        ceiling.answered(int(ceiling.calls), tenth / 10)
    assert ceiling.calls == 17


def test_it_does_not_rise_while_nobody_comes_near_it():
    ceiling = cut(20)
    for second in range(1, 299):
        ceiling.answered(14, float(second))
    assert ceiling.calls == 15


def test_five_minutes_without_a_429_forget_it():
    ceiling = cut(20)
    ceiling.answered(1, 299.0)
    assert ceiling.calls == 15
    ceiling.answered(1, 300.0)
    assert ceiling.calls == math.inf


def simulated(seed, *, takes, clients, seconds, adaptive=True):
    """`clients` callers against a provider that takes so many calls at once and says 429 beyond: refused, answered."""
    chance, ceiling, under_way, now_s = random.Random(seed), Ceiling(), 0, 0.0
    serving, refused, answered = 0, 0, 0
    ready = [(chance.random(), n, "ask", 0.0) for n in range(clients)]
    heapq.heapify(ready)
    while ready and now_s < seconds:
        now_s, n, what, began_s = heapq.heappop(ready)
        if what == "ask":
            if adaptive and under_way >= ceiling.calls:
                heapq.heappush(ready, (now_s + 0.2, n, "ask", 0.0))
                continue
            under_way += 1
            fits = serving < takes
            serving += fits
            lasts = chance.uniform(0.5, 3.0) if fits else 0.05
            heapq.heappush(ready, (now_s + lasts, n, "done" if fits else "429", now_s))
            continue
        if what == "429":
            refused += 1
            ceiling.refused(under_way, began_s=began_s, now_s=now_s)
        else:
            answered += 1
            serving -= 1
            ceiling.answered(under_way, now_s)
        under_way -= 1
        heapq.heappush(ready, (now_s + 0.05, n, "ask", 0.0))
    return refused, answered


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), takes=st.integers(2, 30))
def test_an_overrun_provider_refuses_little_and_is_kept_busy(seed, takes):
    """Ten minutes of three times as many callers as the provider takes."""
    refused, answered = simulated(seed, takes=takes, clients=takes * 3, seconds=600)
    storm, most = simulated(seed, takes=takes, clients=takes * 3, seconds=600, adaptive=False)
    assert refused < 0.03 * storm
    assert refused < 0.1 * answered
    assert answered > 0.7 * most
