"""The compiled build runs the same source: it is built here, and the fault matrix is played against it."""

import ast
import importlib
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import fields, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAM = ROOT / "deploy" / "compile.py"


def compiled_rooms():
    for node in ast.parse(PROGRAM.read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "COMPILED":
            rooms = ast.literal_eval(node.value)
    return {f"{room}/{stem}.py" for room, stems in rooms.items() for stem in stems.split()}


def classes_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            yield node.name, {base.id for base in node.bases if isinstance(base, ast.Name)}


def test_every_room_that_is_compiled_exists():
    assert [name for name in sorted(compiled_rooms()) if not (ROOT / name).is_file()] == []


def test_no_interpreted_class_derives_from_a_compiled_one():
    compiled = compiled_rooms()
    born = {name for source in compiled for name, _ in classes_of(ROOT / source)}
    assert "Walk" in born
    heirs = [
        f"{source.relative_to(ROOT)}: {name}"
        for package in ("policies", "router", "realtime")
        for source in (ROOT / package).rglob("*.py")
        if source.relative_to(ROOT).as_posix() not in compiled
        for name, bases in classes_of(source)
        if bases & born
    ]
    assert heirs == []


VALUES = '''
"""Values."""

from dataclasses import dataclass, field
from typing import ClassVar

from policies.frozen import frozen


@frozen
class Point:
    """A place."""

    x: int
    y: int = 2
    names: list[str] = field(default_factory=list, compare=False)

    @property
    def total(self) -> int:
        """The sum."""
        return self.x + self.y


@dataclass(slots=True, kw_only=True)
class Open:
    """May be changed."""

    most: ClassVar[int] = 3
    size: int = field(default=1, repr=False)


@dataclass(slots=True)
class Checked:
    """Does more while it is made."""

    size: int

    def __post_init__(self) -> None:
        self.size += 1
'''


def test_a_value_class_is_the_same_with_its_constructor_written_out(monkeypatch):
    monkeypatch.syspath_prepend(PROGRAM.parent)
    written_out = importlib.import_module("values").written_out
    made = [{"__name__": "made"}, {"__name__": "made"}]
    exec(VALUES, made[0])
    exec(written_out(VALUES), made[1])
    assert "__init__" not in VALUES
    assert written_out(VALUES).count("def __init__") == 2
    assert written_out("x = 1\n") == "x = 1\n"
    for space in made:
        point = space["Point"](1, names=["a"])
        assert (point.x, point.y, point.names, point.total) == (1, 2, ["a"], 3)
        assert point == space["Point"](1)
        assert hash(point) == hash(space["Point"](1, 2))
        assert space["Point"](1).names is not space["Point"](1).names
        assert repr(point) == "Point(x=1, y=2, names=['a'])"
        assert replace(point, x=5).total == 7
        assert [one.name for one in fields(point)] == ["x", "y", "names"]
        assert (space["Open"]().size, space["Open"](size=2).size, repr(space["Open"]())) == (1, 2, "Open()")
        with pytest.raises(TypeError):
            space["Open"](2)
        assert space["Checked"](1).size == 2


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    if shutil.which("gcc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("needs a C compiler and Python's headers")
    folder = tmp_path_factory.mktemp("built") / "compiled"
    environment = {**os.environ, "RR_COMPILE_EFFORT": "0"}
    subprocess.run([sys.executable, PROGRAM, folder], env=environment, check=True, capture_output=True, timeout=900)
    # pytest puts the folder above the tests first on the path: they must lie beside what they are to import
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def run(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(folder), "COVERAGE_PROCESS_START": ""}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    return done.returncode, done.stdout + done.stderr


def test_what_runs_is_what_was_compiled(built):
    code, said = run(
        built, "-c", "from router import walk; from policies import plan; print(walk.__file__, plan.__file__)"
    )
    assert code == 0
    assert all(path.endswith(".so") and path.startswith(str(built)) for path in said.split())


def test_the_words_at_the_start_say_so(built):
    code, said = run(built, "-c", "from realtime.welcome import compiled; print(compiled())")
    assert (code, said) == (0, "True\n")


def test_the_fault_matrix_holds_for_the_compiled_build(built):
    code, said = run(
        built, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "tests/faults/test_matrix.py"
    )
    assert code == 0, said[-3000:]
    assert "passed" in said
