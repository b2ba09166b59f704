"""Every fenced block of the guides in docs/ runs, and every link of theirs leads somewhere.

The blocks are run as those of README.md are (tests/test_readme.py says how), page by page in a folder of the page's
own, which is also where the page's server writes its records. Beyond that:

- a first line `# file: NAME` (for JSON `file=NAME` after the fence) writes the block to NAME in that folder, for the
  blocks that follow; a YAML file of ours (`router:` or `version:` in it) is checked, too;
- `sql` blocks are asked of the server's records, until they give rows;
- `javascript` blocks and files are parsed by node where there is one;
- `text`, `toml`, `ini` and `html` blocks are shown only.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from tests.test_readme import ADDRESS, ROOT, RUN, blocks_of, environment, running, script_of

DOCS = ROOT / "docs"
GENERATED = {"metrics.md", "configuration.md", "failure-contract.md"}  # made from code, held to it by their own tests
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name not in GENERATED)
SHOWN = {"text", "toml", "ini", "html", "mermaid", "promql"}
KINDS = (*RUN, "sql", "javascript")
FILE = re.compile(r"\A(?:#|//|--) file: (\S+)")
FENCED_FILE = re.compile(r"file=(\S+)")
OURS = re.compile(r"^(router|version):", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
ASKS = re.compile(r"127\.0\.0\.1:8080|OpenAI\(\)|```sql")  # a page that needs a server
NODE = shutil.which("node")


def runnable(page):
    blocks = blocks_of(page.read_text(encoding="utf-8"))
    return [block for block in blocks if block.kind in KINDS and not block.excused]


def file_of(page, block):
    """The name of the file the block is, if it is one."""
    fence = page.read_text(encoding="utf-8").splitlines()[block.line - 1]
    found = FENCED_FILE.search(fence) or FILE.match(block.text)
    return found[1] if found else None


EVERY = [pytest.param(page, block, id=f"{page.stem}-{block}") for page in PAGES for block in runnable(page)]


@pytest.fixture(scope="module")
def desks(tmp_path_factory):
    """A folder and a server for each page, opened when the page is first read."""
    opened = {}
    stack = []

    def desk(page):
        if page.name not in opened:
            while stack:  # pages come one after the other: the one before is done
                stack.pop().__exit__(None, None, None)
            folder = tmp_path_factory.mktemp(page.stem)
            if not ASKS.search(page.read_text(encoding="utf-8")):
                opened[page.name] = folder, 0
                return opened[page.name]
            server = running(folder)
            opened[page.name] = folder, server.__enter__()
            stack.append(server)
        return opened[page.name]

    yield desk
    while stack:
        stack.pop().__exit__(None, None, None)


@pytest.mark.parametrize(("page", "block"), EVERY)
def test_the_guides_do_what_they_say(page, block, desks):
    folder, port = desks(page)
    text = ADDRESS.sub(f"127.0.0.1:{port}", script_of(block))
    place = f"docs/{page.name}:{block.line}"
    if name := file_of(page, block):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if block.kind == "yaml" and not OURS.search(text):
            return
    if block.kind == "sql":
        assert rows_of(folder / "realtime-router.db", text), f"{place}: no rows"
        return
    command = command_of(block, text, folder / (name or f"line{block.line}.yaml"))
    if command is None:
        pytest.skip("node is not installed")
    env = environment(folder)
    if port:
        address = f"http://127.0.0.1:{port}"
        env |= {"OPENAI_API_KEY": "unused", "OPENAI_BASE_URL": f"{address}/v1", "RR_URL": address}
    if block.kind in ("yaml", "bash", "console"):
        env |= dict.fromkeys(re.findall(r"\$\{(\w+)\}", everything(folder)), "placeholder")
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{place}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    said = done.stdout + done.stderr
    for line in printed_of(block):
        assert line in said, f"{place}: not printed: {line!r}\n{said[-2000:]}"


def printed_of(block):
    """The lines of a console block that the reader is told to see, without their indentation."""
    shown, going_on = [], False
    for line in block.text.splitlines() if block.kind == "console" else []:
        typed = going_on or line.startswith("$ ")
        going_on = typed and line.endswith("\\")
        if not typed:
            shown.append(line.strip())
    return shown


def command_of(block, text, path):
    if block.kind == "yaml":
        path.write_text(text, encoding="utf-8")
        return [sys.executable, "-m", "realtime", "check", str(path)]
    if block.kind == "python":
        return [sys.executable, "-W", "error", "-c", text]
    if block.kind == "json":
        return [sys.executable, "-c", "import json,sys; json.loads(sys.argv[1])", text]
    if block.kind == "javascript":
        return [NODE, "--input-type=module", "--check", "-e", text] if NODE else None
    return ["bash", "-euo", "pipefail", "-c", text]


def everything(folder):
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml"))


def rows_of(database, query):
    """What the records answer, waiting for the writer."""
    until = time.monotonic() + 10
    while True:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            rows = connection.execute(query).fetchall()
        if rows or time.monotonic() > until:
            return rows
        time.sleep(0.2)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_block_is_of_a_kind_nobody_runs(page):
    kinds = {block.kind for block in blocks_of(page.read_text(encoding="utf-8"))}
    assert kinds <= {*KINDS, *SHOWN}
    assert page.read_text(encoding="utf-8").count("\n```") % 2 == 0


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_names_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [
        page.name for page in sorted(DOCS.glob("*.md")) if page.name != "README.md" and page.name not in index
    ] == []
