"""Environments of the client libraries: pinned, made on demand below `.compat/`, kept until their list changes.

A Python client is a folder of its own that stands before the test environment on the path: its exact version and what
the test environment lacks, installed without dependencies, in a second or two. The npm clients share one folder.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".compat"
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
QUIET = {
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
    "PYTHONUNBUFFERED": "1",
    "NODE_NO_WARNINGS": "1",
    "NO_COLOR": "1",
}


@dataclass(frozen=True, slots=True)
class Python:
    """A Python client: its name and its packages, each with its version."""

    name: str
    packages: tuple[str, ...]

    def command(self, driver: Path) -> tuple[list[str], dict[str, str]]:
        """How to run a driver in here, and the variables that takes."""
        folder = made(self.name, self.packages, self.install)
        path = os.pathsep.join((str(folder), str(HERE / "common")))
        return [sys.executable, str(driver)], {"PYTHONPATH": path}

    def install(self, folder: Path) -> list[str]:
        """The command that installs it."""
        flags = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--no-compile", "--retries", "1"]
        return [sys.executable, "-m", "pip", "install", *flags, "--target", str(folder), *self.packages]


@dataclass(frozen=True, slots=True)
class Node:
    """The npm clients: one folder, packages with their versions."""

    name: str
    packages: tuple[str, ...]

    def command(self, driver: Path) -> tuple[list[str], dict[str, str]]:
        """How to run a driver in here, and the variables that takes."""
        node = shutil.which("node")
        if node is None or shutil.which("npm") is None:
            pytest.skip("node and npm are not installed")
        folder = made(self.name, self.packages, self.install)
        copy = link(folder, driver)
        return [node, "--import", str(copy.parent.parent / "common" / "guard.mjs"), str(copy)], {}

    def install(self, folder: Path) -> list[str]:
        """The command that installs them."""
        (folder / "package.json").write_text('{"name": "compat", "private": true, "type": "module"}')
        flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock", "--loglevel", "error"]
        return ["npm", "install", "--prefix", str(folder), *flags, *self.packages]


def link(folder: Path, driver: Path) -> Path:
    """A copy of the driver's folder inside the environment: node looks for packages from where a file stands."""
    copy = folder / "drivers" / driver.parent.name
    shutil.copytree(driver.parent, copy, dirs_exist_ok=True)
    shutil.copytree(HERE / "common", folder / "drivers" / "common", dirs_exist_ok=True)
    return copy / driver.name


def made(name: str, packages: tuple[str, ...], install) -> Path:
    """The folder, installed; skips the test when that cannot be done, with the reason."""
    CACHE.mkdir(exist_ok=True)
    folder, stamp = CACHE / name, CACHE / f"{name}.stamp"
    wanted = hashlib.sha256("\n".join((sys.version, *packages)).encode()).hexdigest()
    with locked(CACHE / f"{name}.lock"):
        if stamp.exists() and stamp.read_text() == wanted:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            done = subprocess.run(install(folder), capture_output=True, text=True, timeout=120)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{name}: its packages did not come within two minutes")
        if done.returncode:
            pytest.skip(f"{name}: cannot be installed here: {done.stderr.strip()[-300:]}")
        stamp.write_text(wanted)
    return folder


@contextlib.contextmanager
def locked(path: Path):
    """Two workers must not install the same folder at once."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class Facts:
    """What a driver reported: facts by name, and a trace of everything for the message of a failure."""

    facts: dict = field(default_factory=dict)
    words: str = ""

    def __getitem__(self, name):
        if name not in self.facts:
            pytest.fail(f"the driver did not report {name!r}; it said:\n{self.words[-6000:]}")
        return self.facts[name]


def run(environment: Python | Node, driver: str, given: dict, *, limit_s: float = 120, home: Path) -> Facts:
    """Run a driver with `given` (JSON) as its argument; each line it prints that is a JSON object adds facts."""
    command, variables = environment.command(HERE / driver)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    variables = kept | QUIET | variables | {"HOME": str(home)} | given.get("variables", {})
    try:
        done = subprocess.run(
            [*command, json.dumps(given)], capture_output=True, text=True, timeout=limit_s, env=variables, cwd=home
        )
    except subprocess.TimeoutExpired as late:
        words = "\n".join(
            str(part.decode() if isinstance(part, bytes) else part) for part in (late.stdout, late.stderr) if part
        )
        pytest.fail(f"{driver} did not end within {limit_s} s; it said:\n{words[-6000:]}")
    facts: dict = {}
    for line in done.stdout.splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            found = json.loads(line)
            if isinstance(found, dict):
                facts |= found
    words = f"{done.stdout}\n{done.stderr}"
    if os.environ.get("COMPAT_TRACE"):
        Path(os.environ["COMPAT_TRACE"]).joinpath(driver.replace("/", "-")).write_text(words)
    assert "dials out" not in words, words[-3000:]
    if done.returncode:
        pytest.fail(f"{driver} ended with {done.returncode}; it said:\n{words[-8000:]}")
    return Facts(facts, words)
