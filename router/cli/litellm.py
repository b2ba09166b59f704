"""`import litellm FILE`: a LiteLLM proxy configuration becomes our files; what has no counterpart becomes a comment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from router.config import ConfigError
from router.config.document import parse, plain
from router.config.files import read

from .init import SCHEMAS, SERVER_NAME
from .litellm_groups import Imported, convert
from .schema import text_of
from .show import complain, console, fail

HEAD = "# yaml-language-server: $schema={}\n# Imported from {}. Check with: realtime-router check {}\n"


def run(file: Path, out: Path) -> int:
    """Write the server file and the routers below `out`; 1 when a file is there or FILE cannot be read."""
    try:
        document = plain(parse(read(file), str(file)), str(file))
    except ConfigError as error:
        return complain(error)
    if not isinstance(document, dict) or not isinstance(document.get("model_list"), list):
        return fail(f"{file} has no model_list; is it a LiteLLM proxy configuration?")
    imported = convert(document)
    files = {SERVER_NAME: server_text(imported, file)}
    files |= {f"routers/{name}.yaml": router_text(router, file) for name, router in imported.routers.items()}
    there = [name for name in files if (out / name).exists()]
    if there:
        return fail(f"{out / there[0]} is there already; nothing was written")
    for name, text in (files | {name: text_of(which) for which, name in SCHEMAS.items()}).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    say = console()
    say.print(f"wrote {', '.join(files)} below {out}", markup=False)
    for note in imported.notes:
        say.print(f"not translated: {_comment(note)}", style="yellow", markup=False)
    say.print(f"next: realtime-router check {out / SERVER_NAME}", markup=False)
    return 0


def server_text(imported: Imported, file: Path) -> str:
    """The server file, notes as comments at its end."""
    document: dict[str, Any] = {"version": 1}
    if imported.keys:
        document["auth"] = {"keys": imported.keys}
    document["providers"] = {name: row or None for name, row in imported.providers.items()}
    document["providers"].setdefault("demo", None)
    parts = {"defaults": imported.defaults, "aliases": imported.aliases, "prices": imported.prices}
    document |= {name: part for name, part in parts.items() if part}
    document["routers"] = ["routers"] if imported.routers else []
    text = HEAD.format(SCHEMAS["server"], file.name, SERVER_NAME)
    text += yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if imported.notes:
        text += "\n# Not translated:\n" + "".join(f"#   {_comment(note)}\n" for note in imported.notes)
    return text


def router_text(router: Mapping[str, Any], file: Path) -> str:
    """One router file."""
    head = HEAD.format("../" + SCHEMAS["router"], file.name, SERVER_NAME)
    return head + yaml.safe_dump(dict(router), sort_keys=False, allow_unicode=True)


def _comment(note: str) -> str:
    return re.sub(r"(?i)(key|secret|password|token)([^:]*): '[^']*'", r"\1\2: …", note).replace("\n", " ")
