"""What is installed and what an import does: no network, no file, no start-up hook, no package without a hash."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WATCH = """
import sys
seen = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "subprocess.Popen", "os.system"):
        seen.append((event, str(arguments)[:100]))
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if not str(arguments[0]).endswith((".pyc", "null")) and "__pycache__" not in str(arguments[0]):
            seen.append((event, str(arguments)[:100]))
sys.addaudithook(hook)
import policies, router, realtime, router.proxy, realtime.app, realtime.endpoints, realtime.cli
print(seen)
print("litellm" in sys.modules)
"""


def test_importing_opens_no_socket_and_writes_no_file():
    done = subprocess.run([sys.executable, "-B", "-c", WATCH], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "False"]


@pytest.mark.skipif(int(version("setuptools").split(".")[0]) < 77, reason="building needs setuptools 77 (it is locked)")
def test_the_wheel_holds_our_packages_and_no_start_up_hook(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "-q",
            "-w",
            str(tmp_path),
            str(ROOT),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"policies", "router", "realtime"}
    assert not [
        name for name in names if name.endswith((".pth", ".so", ".env", ".pem", ".key")) or "sitecustomize" in name
    ]


def test_every_locked_package_has_hashes():
    for lock in ("requirements.lock", "deploy/run.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
        pins = [line for line in text.splitlines() if re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==", line, re.IGNORECASE)]
        assert len(pins) > 20
        assert [line for line in pins if "--hash=sha256:" not in line] == []


def test_litellm_is_pinned_beyond_the_releases_that_stole_keys_and_without_its_proxy():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    every = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    wanted = [one for one in every if one.startswith("litellm")]
    assert wanted
    assert not [one for one in wanted if "[proxy" in one]
    locked = re.search(
        r"^litellm==(\d+)\.(\d+)\.", (ROOT / "requirements.lock").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert (int(locked[1]), int(locked[2])) > (1, 82)
