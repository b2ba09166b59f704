import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from policies.frozen import frozen


@frozen
class Point:
    x: int
    y: int = 2
    tags: dict[str, int] = field(default_factory=dict)


def test_it_is_a_dataclass_in_every_way():
    point = Point(1, tags={"a": 1})
    assert (point.x, point.y, point.tags) == (1, 2, {"a": 1})
    assert repr(point) == "Point(x=1, y=2, tags={'a': 1})"
    assert replace(point, y=5) == Point(1, 5, {"a": 1})
    assert [one.name for one in fields(Point)] == ["x", "y", "tags"]
    assert copy.copy(point) == copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point


def test_nothing_can_be_assigned_afterwards():
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 3
    with pytest.raises(AttributeError):
        del Point(1).x
    assert type(Point(1)) is Point
    assert not hasattr(Point(1), "__dict__")


def test_each_object_gets_its_own_default():
    assert Point(1).tags is not Point(1).tags


def test_arguments_are_checked_like_those_of_any_call():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        Point(1, z=3)


def test_classes_it_cannot_make_are_refused():
    with pytest.raises(TypeError, match="Further: a base class"):

        @frozen
        class Further(Point):
            z: int = 0

    with pytest.raises(TypeError, match="Checked: a base class or __post_init__"):

        @frozen
        class Checked:
            x: int

            def __post_init__(self):
                raise AssertionError


def test_it_hashes_and_compares_as_the_usual_kind_does():
    @frozen
    class Name:
        text: str

    @dataclass(frozen=True, slots=True)
    class Usual:
        text: str

    assert hash(Name("a")) == hash(Usual("a"))
    assert Name("a") != Usual("a")
