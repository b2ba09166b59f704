"""Compile the hot path to C with mypyc: `python deploy/compile.py [FOLDER]` (default: build/compiled).

The folder gets a copy of the three packages with an extension module beside each compiled source; first on PYTHONPATH
it is what runs. Needs a C compiler, Python's headers and the packages of deploy/compile.lock; takes about three
minutes. It is the same source but for the constructors of value classes, which are written out first (`values`).

Only rooms that requests pass through are compiled. Left out of them are classes that derive from a library's, are read
by msgspec or pydantic, or have heirs outside; async generators; and what classes are made with at run time.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from mypyc.build import mypycify
from setuptools import setup
from values import written_out

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("policies", "router", "realtime")
COMPILED = {
    "policies": "attempt bucketing ceiling cooldown dealing decision experiment facts fitness guard lineup outcome plan"
    " policy route route_index sieve split table target targets",
    "router": "clock conversations cost cycle deadline dispatch ending figures flow guardrails health http_protocol"
    " inference inflight logs metadata passage record relay repeated request request_log router"
    " shedding splice sse state verdict walk wire_limits",
    "router/metrics": "labels observer series splits tallies",
    "router/proxy": "auth chat documents exchange front site translated wire",
    "router/records": "recent",
    "router/upstreams": "base connection exchange http1 openai_http plain pool slots",
}


def sources() -> list[str]:
    """The files to compile, relative to the root."""
    return [f"{room}/{stem}.py" for room, stems in COMPILED.items() for stem in stems.split()]


def compile_into(folder: Path) -> None:
    """Copy the packages there and build the extension modules beside their sources."""
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        sys.exit("needs a C compiler; on Debian: apt-get install gcc libc6-dev")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        sys.exit("needs Python's headers; on Debian: apt-get install python3-dev")
    shutil.rmtree(folder, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    os.chdir(folder)
    for source in map(Path, sources()):
        source.write_text(written_out(source.read_text()))
    effort = os.environ.get("RR_COMPILE_EFFORT", "2")  # gcc's -O: 0 builds sooner and runs slower
    checking = ["--config-file=", "--ignore-missing-imports"]  # our own settings are for mypy, not for mypyc
    modules = mypycify([*checking, *sources()], opt_level=effort, debug_level="0", group_name="realtime_router")
    commands = ["-q", "build_ext", "--inplace"]
    setup(name="realtime-router-compiled", packages=[], ext_modules=modules, script_args=commands)
    shutil.rmtree("build")
    shutil.rmtree(".mypy_cache")


if __name__ == "__main__":
    compile_into(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "compiled").resolve())
