"""Every fenced block of README.md runs: a README that lies is a defect.

`bash` and `console` blocks run against a server on a free port (demo defaults, no key), the address in them replaced by
its own; `console` runs the lines after `$ `. `python` blocks run as scripts, `json` blocks parse, `yaml` blocks pass
`check`. A first line `# not run: REASON` in a block (or `<!-- not run: REASON -->` before it) excuses it: the reason is
required. `make` and the installers are excused, they are what runs this test.
"""

import contextlib
import json
import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.processes import end_process

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FENCE = re.compile(
    r"(?P<excuse><!-- not run: [^\n]+? -->\s*\n)?^```(?P<kind>\w+)[^\n]*\n(?P<text>.*?)^```\s*$",
    re.MULTILINE | re.DOTALL,
)
RUN = ("bash", "console", "sh", "shell", "python", "yaml", "json")
INSTALLS = re.compile(
    r"^\s*(?:\$ )?(make|pipx|pip|uv|docker|kubectl|helm|npm|git clone|realtime-router serve)\b", re.MULTILINE
)
ADDRESS = re.compile(r"(127\.0\.0\.1|localhost):8080")
READY = re.compile(r"ready at \S+?:(\d+)")


@dataclass(frozen=True)
class Block:
    kind: str
    text: str
    line: int
    excused: bool

    def __str__(self):
        return f"line{self.line}-{self.kind}"


def blocks_of(text):
    found = []
    for match in FENCE.finditer(text):
        body = match["text"]
        excused = bool(match["excuse"]) or bool(re.match(r"(#|//) not run: \S", body))
        if match["kind"] in ("bash", "console", "sh", "shell"):
            excused = excused or bool(INSTALLS.search(body))
        found.append(Block(match["kind"], body, text[: match.start("kind")].count("\n") + 1, excused))
    return found


def script_of(block):
    """What a shell is given: for `console` the lines that a person types, with their continuations."""
    if block.kind != "console":
        return block.text
    typed, going_on = [], False
    for line in block.text.splitlines():
        if line.startswith("$ ") or going_on:
            words = line.removeprefix("$ ")
            typed.append(words)
            going_on = words.endswith("\\")
    return "\n".join(typed)


BLOCKS = [block for block in blocks_of(README.read_text(encoding="utf-8")) if block.kind in RUN and not block.excused]


def environment(folder):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RR_") and not k.endswith("_API_KEY")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "HOME": str(folder), "RR_NO_OLLAMA": "1", "NO_COLOR": "1"}


@contextlib.contextmanager
def running(folder):
    """A server with the embedded defaults on a free port; its port."""
    command = [sys.executable, "-m", "realtime", "serve", "--port", "0", "--log-level", "error"]
    with (folder / "server.log").open("w+") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            yield _port(server, log)
        finally:
            end_process(server)


def _port(server, log):
    until = time.monotonic() + 30
    while time.monotonic() < until and server.poll() is None:
        if select.select([server.stdout], [], [], 0.5)[0]:
            line = server.stdout.readline()
            if match := READY.search(line):
                return int(match[1])
    log.seek(0)
    raise AssertionError(f"the server did not get ready: {log.read()}")


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    """A folder the blocks share, so that a later one finds what an earlier one wrote, and a server."""
    folder = tmp_path_factory.mktemp("readme")
    with running(folder) as port:
        yield folder, port


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_readme_does_what_it_says(block, tour):
    folder, port = tour
    text = ADDRESS.sub(f"127.0.0.1:{port}", script_of(block))
    if block.kind == "json":
        assert json.loads(text) is not None
        return
    if block.kind == "yaml":
        path = folder / f"line{block.line}.yaml"
        path.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "realtime", "check", str(path)]
    elif block.kind == "python":
        command = [sys.executable, "-c", text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", text]
    address = f"http://127.0.0.1:{port}"
    env = environment(folder) | {"OPENAI_API_KEY": "unused", "OPENAI_BASE_URL": f"{address}/v1", "RR_URL": address}
    if block.kind == "yaml":
        env |= dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "placeholder")
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"README.md:{block.line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


SAMPLE = """\
```bash
curl http://127.0.0.1:8080/livez
```

```console
$ echo one \\
  two
one two
```

<!-- not run: needs a key of yours -->
```python
raise SystemExit(1)
```

```bash
# not run: for the reader's shell
false
```

```bash
make run
```
"""


def test_blocks_are_found_with_their_excuses():
    found = blocks_of(SAMPLE)
    assert [(block.kind, block.excused) for block in found] == [
        ("bash", False),
        ("console", False),
        ("python", True),
        ("bash", True),
        ("bash", True),
    ]
    assert script_of(found[1]) == "echo one \\\n  two"
    assert found[0].line == 1


def test_an_excuse_needs_a_reason():
    assert not blocks_of("```bash\n# not run:\ntrue\n```\n")[0].excused
