"""Reads gather for longer the more there are, and each member has its turn whatever the others do."""

import pytest

from router.ws_tide import Tide


class Clock:
    def __init__(self):
        self.asked = []

    def later(self, seconds, callback):
        self.asked.append((seconds, callback))

    def turn(self):
        for _, callback in self.asked:
            callback()
        self.asked.clear()


class Member:
    def __init__(self, *, breaks=False):
        self.turns, self.breaks = 0, breaks

    def catch_up(self):
        self.turns += 1
        if self.breaks:
            raise RuntimeError("a bug")


@pytest.mark.parametrize(("members", "wait_s"), [(1, 0), (7, 0), (8, 0.010), (24, 0.020), (48, 0.020), (500, 0.020)])
def test_few_members_do_not_wait_and_many_wait_longer(members, wait_s):
    tide = Tide(Clock().later)
    tide.change(members)
    assert tide.wait_s == wait_s
    tide.change(-members)
    assert tide.wait_s == 0


def test_one_turn_serves_all_who_came_before_it():
    clock = Clock()
    tide = Tide(clock.later)
    tide.change(10)
    members = [Member() for _ in range(3)]
    for member in members:
        tide.add(member)
    assert [seconds for seconds, _ in clock.asked] == [0.010]
    clock.turn()
    tide.add(members[0])
    clock.turn()
    assert [member.turns for member in members] == [2, 1, 1]


def test_one_who_fails_costs_nobody_a_turn():
    clock = Clock()
    tide = Tide(clock.later)
    members = [Member(), Member(breaks=True), Member(), Member(breaks=True), Member()]
    for member in members:
        tide.add(member)
    with pytest.raises(RuntimeError, match="a bug"):
        clock.turn()
    assert [member.turns for member in members] == [1] * 5
