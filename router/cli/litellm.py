"""`import litellm FILE`: a LiteLLM proxy configuration becomes our files; what has no counterpart becomes a comment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from router.config import ConfigError
from router.config.document import Node, parse, place, plain
from router.config.files import read

from .init import SCHEMAS, SERVER_NAME
from .litellm_groups import convert
from .litellm_routers import Imported
from .schema import text_of
from .show import complain, console, fail

HEAD = "# yaml-language-server: $schema={}\n# Imported from {}. Check with: realtime-router check {}\n"


def run(file: Path, out: Path) -> int:
    """Write the server file and the routers below `out`; 1 when a file is there or FILE cannot be read."""
    try:
        root = merged(parse(read(file), str(file)), {})
        document = plain(root, str(file))
    except ConfigError as error:
        return complain(error)
    if not isinstance(document, dict) or not isinstance(document.get("model_list"), list):
        return fail(f"{file} has no model_list; is it a LiteLLM proxy configuration?")
    imported = convert(document)
    found = sorted((_lines(root, places), text) for text, places in imported.notes.items())
    notes = [f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}: {_comment(text)}" for lines, text in found]
    files = {SERVER_NAME: server_text(imported, file, notes)}
    files |= {f"routers/{name}.yaml": router_text(router, file) for name, router in imported.routers.items()}
    there = [name for name in files if (out / name).exists()]
    if there:
        return fail(f"{out / there[0]} is there already; nothing was written")
    for name, text in (files | {name: text_of(which) for which, name in SCHEMAS.items()}).items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    say = console()
    say.print(f"wrote {', '.join(files)} below {out}", markup=False)
    for note in notes:
        say.print(f"not translated, {note}", style="yellow", markup=False)
    say.print(f"next: realtime-router check {out / SERVER_NAME}", markup=False)
    return 0


def merged(node: Node, known: dict[int, Node]) -> Node:
    """The tree with YAML 1.1's merge keys (`<<: *name`) put in, which LiteLLM's reader knows; own keys win."""
    if id(node) not in known:
        if isinstance(node.value, list):
            known[id(node)] = replace(node, value=[merged(one, known) for one in node.value])
        elif isinstance(node.value, dict):
            values = {key: merged(one, known) for key, one in node.value.items()}
            given = values.pop("<<", None)
            for source in given.value if given is not None and isinstance(given.value, list) else [given]:
                if source is not None and isinstance(source.value, dict):
                    values = {**source.value, **values}
            places = {key: (one.line, one.column) for key, one in values.items()}
            known[id(node)] = replace(node, value=values, keys={**places, **(node.keys or {})})
        else:
            known[id(node)] = node
    return known[id(node)]


def server_text(imported: Imported, file: Path, notes: Sequence[str]) -> str:
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
    if notes:
        text += f"\n# Not translated, by line of {file.name}:\n" + "".join(f"#   {note}\n" for note in notes)
    return text


def router_text(router: Mapping[str, Any], file: Path) -> str:
    """One router file."""
    head = HEAD.format("../" + SCHEMAS["router"], file.name, SERVER_NAME)
    return head + yaml.safe_dump(dict(router), sort_keys=False, allow_unicode=True)


def _lines(root: Node, places: Sequence[tuple[str | int, ...]]) -> list[int]:
    return sorted({place(root, one, key=True)[0] for one in places})


def _comment(note: str) -> str:
    return re.sub(r"(?i)(key|secret|password|token)([^:]*): '[^']*'", r"\1\2: …", note).replace("\n", " ")
