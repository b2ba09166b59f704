"""The house rules that a linter does not know: sizes, front doors, names."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("policies", "router", "realtime")
SOURCES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_POSITIONAL = 5


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_is_one_noun(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE_LINES, f"{path}: {lines} lines; a noun is hiding"
    for function in functions(path):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{path}:{function.lineno} {function.name} has {length} lines"
        positional = [a for a in function.args.args if a.arg not in ("self", "cls")]
        assert len(positional) <= MAX_POSITIONAL, f"{path}:{function.lineno} {function.name}: name a value object"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"


@pytest.mark.parametrize("floor", FLOORS)
def test_the_packages_are_ours_and_not_another_distribution(floor):
    module = importlib.import_module(floor)
    found = Path(module.__file__).resolve()
    assert found == (ROOT / floor / "__init__.py").resolve(), f"{floor!r} resolves to {found}: use an own environment"


def test_the_front_door_of_policies_is_sorted_and_complete():
    policies = importlib.import_module("policies")
    assert policies.__all__ == sorted(policies.__all__)
    assert all(hasattr(policies, name) for name in policies.__all__)


def test_every_test_asserts_something():
    words = ("Assert(", "raises", "assert_", "check", "expect", "fail")
    empty = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in functions(path)
        if node.name.startswith("test_") and not any(word in ast.dump(node) for word in words)
    ]
    assert empty == []
