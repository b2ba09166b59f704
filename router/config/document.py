"""One YAML 1.2 (or JSON) file as a tree that remembers where everything stands.

libyaml's parser gives the events; this room composes them under the core schema of YAML 1.2: `no`, `on` and `1e3`
mean what they say there, tags and merge keys do not exist, a key may stand once. Size, depth and the number of nodes
after expanding aliases are bounded, so a small hostile file cannot become a big tree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from .findings import ConfigError, Finding

MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

Path = tuple[str | int, ...]

_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)")
_NAN = re.compile(r"\.nan|\.NaN|\.NAN")
_MAX_DIGITS = 300
_REMEDIES = (
    ("did not find expected", "is the line indented like its neighbours, and everything before it closed?"),
    ("mapping values are not allowed", "quote a text that holds ': '"),
    ("cannot start any token", "quote a text that begins with a special character"),
)


@dataclass(slots=True)
class Node:
    """A place in a file. `value`: a scalar, a list of nodes or a dict of nodes; `keys`: where each key stands."""

    value: Any
    line: int
    column: int
    plain: bool = False  # an unquoted scalar: it is resolved again after variables were put in
    keys: dict[str, tuple[int, int]] | None = None


def resolve(text: str) -> Any:
    """A plain scalar under YAML 1.2's core schema: null, bool, int, float, or the text itself."""
    if len(text) > _MAX_DIGITS:
        return text
    for pattern, value in ((_NULL, None), (_TRUE, True), (_FALSE, False)):
        if pattern.fullmatch(text):
            return value
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    if _HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float("-inf" if text[0] == "-" else "inf")
    return float("nan") if _NAN.fullmatch(text) else text


def parse(text: str, file: str) -> Node:
    """The one document of `text`. Raises ConfigError; an empty file is an empty mapping."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_FILE_BYTES:
        raise ConfigError([Finding(file, f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")])
    try:
        root = _Composer(file, yaml.parse(text, Loader=yaml.CSafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_misread(error, text, file)], {file: text}) from None
    except yaml.YAMLError as error:
        message = f"not valid YAML: {str(error).splitlines()[0]}"
        raise ConfigError([Finding(file, message)], {file: text}) from None
    except ConfigError as error:
        raise ConfigError(error.findings, {file: text}) from None
    return root


def _misread(error: yaml.MarkedYAMLError, text: str, file: str) -> Finding:
    """libyaml's complaint at the place where people look: what is never closed, where it opens."""
    lines = text.splitlines()
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    if mark is not None and opened is not None and mark.line >= len(lines):
        remedy = f"close it: the file ends {error.context}"
        return Finding(
            file, "not valid YAML: what opens here is never closed", opened.line + 1, opened.column + 1, remedy=remedy
        )
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    written = lines[line - 1] if line <= len(lines) else ""
    if written[column - 1 : column] == "\t":
        return Finding(file, "not valid YAML: a tab cannot indent", line, column, remedy="write spaces instead")
    problem = str(error.problem or error.context)
    known = next((remedy for said, remedy in _REMEDIES if said in problem), None)
    if "${" in written:
        known = 'inside { } and [ ], quote variables: "${NAME}"'
    return Finding(file, f"not valid YAML: {problem}", line, column, remedy=known)


def _start(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _Composer:
    """Events to nodes, in one pass. Aliases share their node; `plain` counts what they expand to."""

    def __init__(self, file: str, events: Iterator[yaml.Event]) -> None:
        self.file = file
        self.events = events
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def refuse(self, message: str, event: yaml.Event, remedy: str | None = None) -> ConfigError:
        line, column = _start(event)
        return ConfigError([Finding(self.file, message, line, column, remedy=remedy)])

    def document(self) -> Node:
        root: Node | None = None
        for event in self.events:
            if isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
                if root is not None:
                    raise self.refuse("a second document", event, "one file holds one document; remove the '---'")
                continue
            if isinstance(event, yaml.DocumentEndEvent | yaml.StreamEndEvent):
                continue
            root = self.node(event, 1)
        if root is None or root.value is None:
            return Node({}, 1, 1, keys={})
        return root

    def node(self, event: yaml.Event, depth: int) -> Node:
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise self.refuse(f"nested deeper than {MAX_DEPTH} levels", event)
        if self.nodes > MAX_NODES:
            raise self.refuse(f"more than {MAX_NODES} values", event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.refuse(f"alias *{event.anchor} names no finished anchor", event)
            return self.anchors[event.anchor]
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag not in (None, "!", "?"):
            raise self.refuse(f"tags are not used here: {tag}", event, "write the value without a tag")
        node = self.collection(event, depth)
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def collection(self, event: yaml.Event, depth: int) -> Node:
        line, column = _start(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(self.events), yaml.SequenceEndEvent):
                items.append(self.node(inner, depth + 1))
            return Node(items, line, column)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(line, column, depth)
        if not isinstance(event, yaml.ScalarEvent):
            raise self.refuse("a value is missing here", event)
        plain = event.implicit[0] and event.style in (None, "")
        return Node(resolve(event.value) if plain else event.value, line, column, plain=plain)

    def mapping(self, line: int, column: int, depth: int) -> Node:
        values: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
                raise self.refuse("a key must be a plain word or text", event)
            if event.value in values:
                first = keys[event.value][0]
                raise self.refuse(f"key {event.value!r} stands twice", event, f"it first stands in line {first}")
            keys[event.value] = _start(event)
            values[event.value] = self.node(next(self.events), depth + 1)
        return Node(values, line, column, keys=keys)


def plain(root: Node, file: str) -> Any:
    """The tree as plain Python values. Raises ConfigError when aliases expand beyond the bound."""
    count = 0

    def walk(node: Node) -> Any:
        nonlocal count
        count += 1
        if count > MAX_NODES:
            message = f"aliases expand to more than {MAX_NODES} values"
            raise ConfigError([Finding(file, message, node.line, node.column, remedy="write the values out")])
        if isinstance(node.value, dict):
            return {key: walk(child) for key, child in node.value.items()}
        return [walk(child) for child in node.value] if isinstance(node.value, list) else node.value

    return walk(root)


def place(root: Node, path: Path, *, key: bool = False) -> tuple[int, int]:
    """Line and column of the value at `path` (of its key with `key`), or of the nearest thing above it."""
    node, where = root, (root.line, root.column)
    for step in path:
        children = node.value
        if isinstance(children, dict) and str(step) in children:
            where = (node.keys or {}).get(str(step), where)
            node = children[str(step)]
        elif isinstance(children, list) and isinstance(step, int) and step < len(children):
            node = children[step]
            where = (node.line, node.column)
        else:
            return where
    return where if key else (node.line, node.column)


def at(root: Node, path: Path) -> Node | None:
    """The node at `path`, or None."""
    node = root
    for step in path:
        children = node.value
        if isinstance(children, dict) and str(step) in children:
            node = children[str(step)]
        elif isinstance(children, list) and isinstance(step, int) and step < len(children):
            node = children[step]
        else:
            return None
    return node


def spell(root: Node, path: Path) -> str:
    """`path` as people read it: list elements by their id (`routes.spanish.variants.b.weight`), else `[3]`."""
    text = ""
    for index, step in enumerate(path):
        if isinstance(step, str):
            text += f".{step}" if text else step
            continue
        name = at(root, (*path[: index + 1], "id"))
        text += f".{name.value}" if name is not None and isinstance(name.value, str) else f"[{step}]"
    return text
