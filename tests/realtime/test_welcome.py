"""The words at the start: a program is spelled so that the shell finds it."""

import sys
from pathlib import Path

import pytest

from realtime.welcome import compiled, typed


@pytest.fixture
def environment(tmp_path, monkeypatch):
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "realtime-router"):
        (folder / name).write_text("")
        (folder / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    return folder


def test_a_program_that_the_shell_does_not_find_is_spelled_from_the_current_folder(environment, monkeypatch):
    monkeypatch.chdir(environment.parent.parent)
    assert typed("realtime-router") == ".venv/bin/realtime-router"


def test_from_elsewhere_its_whole_path_is_spelled(environment, monkeypatch):
    monkeypatch.chdir("/")
    assert Path("/") / typed("realtime-router") == environment / "realtime-router"


def test_a_program_that_the_shell_finds_goes_by_its_name(environment, monkeypatch):
    monkeypatch.setenv("PATH", str(environment))
    assert typed("realtime-router") == "realtime-router"


def test_the_same_name_of_another_environment_is_not_meant(environment, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "python").symlink_to(environment / "python")
    monkeypatch.setenv("PATH", str(other))
    monkeypatch.chdir(tmp_path)
    assert typed("python") == ".venv/bin/python"


def test_the_sources_themselves_are_not_called_compiled():
    assert compiled() is False
