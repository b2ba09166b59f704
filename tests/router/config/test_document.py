"""YAML 1.2, places, and bounds."""

import pytest

from router.config import ConfigError
from router.config.document import parse, place, plain, resolve, spell


def value(text):
    return plain(parse(text, "f.yaml"), "f.yaml")


def refusal(text):
    with pytest.raises(ConfigError) as caught:
        value(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no", "no"), ("on", "on"), ("yes", "yes"), ("true", True), ("~", None), ("", None), ("1_000", "1_000"),
     ("12:30", "12:30"),
     ("0o17", 15), ("017", 17), ("0x1F", 31), ("1e3", 1000.0), (".5", 0.5), ("-.inf", float("-inf")),
     ("2026-11-20", "2026-11-20"),
     ("9" * 400, "9" * 400), ("1.", 1.0)],
)  # fmt: skip
def test_plain_scalars_mean_what_yaml_1_2_says(text, expected):
    assert resolve(text) == expected
    assert type(resolve(text)) is type(expected)


def test_not_a_number_is_read_too():
    assert resolve(".nan") != resolve(".nan")


def test_quoted_scalars_stay_text():
    assert value("a: 'true'\nb: \"1\"\nc: |\n  5\n") == {"a": "true", "b": "1", "c": "5\n"}


def test_json_is_valid():
    assert value('{"a": [1, 2.5, null, true, "x\\u00e9"]}') == {"a": [1, 2.5, None, True, "xé"]}


def test_an_empty_file_is_an_empty_mapping():
    assert value("# nothing\n") == {}


def test_anchors_and_aliases_work():
    assert value("a: &x {k: 1}\nb: *x") == {"a": {"k": 1}, "b": {"k": 1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: key 'a' stands twice (it first stands in line 1)"),
        ("a: !!python/object:os.system x", "f.yaml:1:4: tags are not used here"),
        ("a: *nobody", "f.yaml:1:4: alias *nobody names no finished anchor"),
        ("a: &a [*a]", "alias *a names no finished anchor"),
        ("a: 1\n---\nb: 2", "a second document"),
        ("a: [1,\nb: }", "not valid YAML"),
        ("a:\n\tb: 1", "f.yaml:2:1: not valid YAML: a tab cannot indent (write spaces instead)"),
        ("a: 1\nb: {c: 1\n", "f.yaml:2:4: not valid YAML: what opens here is never closed (close it: the file ends"),
        ('a: "b\n', "f.yaml:1:4: not valid YAML: what opens here is never closed"),
        ("a: b: c", "f.yaml:1:5: not valid YAML: mapping values are not allowed in this context (quote a text that"),
        ("a: @b", "(quote a text that begins with a special character)"),
        ("x:\n  - a: 1\n   b: 2", "(is the line indented like its neighbours"),
        ("\x01", "not valid YAML"),
        ("? [a]\n: 1", "a key must be a plain word or text"),
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("a: " + "x" * (2 * 1024 * 1024), "larger than 2048 KiB"),
    ],
)
def test_what_is_refused(text, message):
    assert message in refusal(text)


def test_a_small_file_cannot_expand_to_a_big_tree():
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
    bomb += "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    assert "aliases expand to more than 200000 values" in refusal(bomb)


def test_too_many_values_are_refused_before_they_are_kept():
    assert "more than 200000 values" in refusal("[" + "1," * 200_001 + "]")


def test_places_and_paths_are_the_ones_people_look_for():
    root = parse("routes:\n  - id: spanish\n    variants:\n      - {id: b, weight: -1}\n", "f.yaml")
    path = ("routes", 0, "variants", 0, "weight")
    assert place(root, path) == (4, 25)
    assert place(root, path, key=True) == (4, 17)
    assert place(root, ("routes", 7)) == (1, 1)
    assert spell(root, path) == "routes.spanish.variants.b.weight"
    assert spell(parse("a: [1]", "f"), ("a", 0)) == "a[0]"
