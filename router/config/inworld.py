"""Inworld's nested router resource <-> our router file, without loss.

Names are accepted in snake and camel case everywhere; printing lives in `inworld_printed.py`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from .document import Node, parse
from .inworld_printed import to_inworld
from .router_file import ALIASES, RouterFile
from .validation import validate

__all__ = ["camel", "from_inworld", "from_inworld_node", "is_inworld", "snake", "to_inworld"]

_PREFIXES = ("inworld/", "routers/")


def camel(name: str) -> str:
    """`route_id` -> `routeId`."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """`routeId` -> `route_id`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def is_inworld(root: Node) -> bool:
    """Whether a file is written in Inworld's spelling."""
    if not isinstance(root.value, dict) or "router" in root.value:
        return False
    if any(key in root.value for key in ("name", "displayName", "display_name", "defaultRoute", "default_route")):
        return True
    routes = root.value.get("routes")
    first = routes.value[0] if routes is not None and isinstance(routes.value, list) and routes.value else None
    return (
        first is not None and isinstance(first.value, dict) and ("route" in first.value or "condition" in first.value)
    )


def from_inworld(document: Mapping[str, Any], *, default_name: str = "") -> RouterFile:
    """The router a JSON resource describes. Raises ConfigError with every complaint."""
    file = "router"
    root = from_inworld_node(parse(json.dumps(document), file), default_name=default_name)
    return validate(RouterFile, root, file)


def from_inworld_node(root: Node, *, default_name: str = "") -> Node:
    """The same tree in our spelling, each value still knowing its place. What is not understood stays."""
    left = _Mapping(root)
    name = left.take("name")
    if name is None:
        name = Node(default_name, root.line, root.column)
    elif isinstance(name.value, str):
        text = name.value
        for prefix in _PREFIXES:
            text = text.removeprefix(prefix)
        name = Node(text, name.line, name.column)
    left.put("router", name)
    left.move("display_name", "display_name")
    left.move("default_route", "default", _route)
    left.move("routes", "routes", _each(_conditional))
    left.move("defaults", "defaults", _defaults)
    return left.done()


class _Mapping:
    """A mapping being respelled: `move` takes a value under either case and puts it under our name."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.usable = isinstance(node.value, dict)
        self.left: dict[str, Node] = dict(node.value) if self.usable else {}
        self.keys = dict(node.keys or {})
        self.out: dict[str, Node] = {}

    def take(self, name: str) -> Node | None:
        for spelling in (name, camel(name)):
            if spelling in self.left:
                self.keys[name] = self.keys.get(spelling, (self.node.line, self.node.column))
                return self.left.pop(spelling)
        return None

    def put(self, name: str, value: Node, source: str | None = None) -> None:
        self.keys[name] = self.keys.get(source or name, (value.line, value.column))
        self.out[name] = value

    def move(self, theirs: str, ours: str, change: Callable[[Node], Node] | None = None) -> None:
        value = self.take(theirs)
        if value is not None:
            self.put(ours, change(value) if change else value, theirs)

    def done(self) -> Node:
        if not self.usable:
            return self.node
        return Node({**self.out, **self.left}, self.node.line, self.node.column, keys=self.keys)


def _each(change: Callable[[Node], Node]) -> Callable[[Node], Node]:
    def all_of(node: Node) -> Node:
        if not isinstance(node.value, list):
            return node
        return Node([change(child) for child in node.value], node.line, node.column)

    return all_of


def _conditional(node: Node) -> Node:
    left = _Mapping(node)
    condition, route = left.take("condition"), left.take("route")
    if route is None:
        return _route(node)
    inner = _Mapping(_route(route))
    if condition is not None:
        words = _Mapping(condition)
        expression = words.take("cel_expression")
        inner.put("when", expression if expression is not None else condition)
    inner.left.update(left.left)
    inner.keys.update({key: left.keys[key] for key in left.left if key in left.keys})
    return inner.done()


def _route(node: Node) -> Node:
    left = _Mapping(node)
    left.move("route_id", "id")
    left.move("variants", "variants", _each(_weighted))
    return left.done()


def _weighted(node: Node) -> Node:
    left = _Mapping(node)
    variant = left.take("variant")
    if variant is None:
        return _variant(node)
    inner = _Mapping(_variant(variant))
    inner.left.update(left.left)
    inner.keys.update({key: left.keys[key] for key in left.left if key in left.keys})
    return inner.done()


def _variant(node: Node) -> Node:
    left = _Mapping(node)
    left.move("variant_id", "id")
    left.move("model_id", "model")
    left.move("text_generation_config", "parameters", _parameters)
    left.move("message_templates", "messages", _each(_message))
    for name in ("fallback", "web_search", "web_search_options", "compression"):
        left.move(name, name, _snaked)
    selection = left.take("model_selection")
    if selection is None:
        return left.done()
    chosen = _Mapping(selection)
    chosen.move("models", "models")
    chosen.move("ignore", "ignore")
    chosen.move("sort", "sort", _each(_sort))
    chosen.move("provider", "provider", _provider)
    left.out.update({**chosen.out, **chosen.left})
    left.keys.update(chosen.keys)
    return left.done()


def _provider(node: Node) -> Node:
    left = _Mapping(node)
    left.move("order", "order")
    left.move("allow_fallbacks", "allow_fallbacks")
    return left.done()


def _sort(node: Node) -> Node:
    def short(prefix: str) -> Callable[[Node], Node]:
        return lambda one: Node(str(one.value).removeprefix(prefix).lower(), one.line, one.column)

    if isinstance(node.value, str):
        return short("SORT_METRIC_")(node)
    left = _Mapping(node)
    left.move("metric", "metric", short("SORT_METRIC_"))
    left.move("direction", "direction", short("SORT_DIRECTION_"))
    done = left.done()
    return done.value["metric"] if isinstance(done.value, dict) and set(done.value) == {"metric"} else done


def _defaults(node: Node) -> Node:
    left = _Mapping(node)
    left.move("text_generation_config", "parameters", _parameters)
    left.move("message_templates", "messages", _each(_message))
    left.move("fallback", "fallback", _snaked)
    left.move("optimize_prompt", "optimize_prompt")
    return left.done()


def _parameters(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    out: dict[str, Node] = {}
    for key, value in node.value.items():
        name = ALIASES.get(snake(key), snake(key))
        if name in out and out[name].value != value.value:  # said twice and differently: refused later
            name = next((theirs for theirs, ours in ALIASES.items() if ours == name), name)
        out[name] = _bias(value) if name == "logit_bias" else value
    return Node(out, node.line, node.column, keys=dict.fromkeys(out, (node.line, node.column)))


def _snaked(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    keys = {snake(key): at for key, at in (node.keys or {}).items()}
    return Node({snake(key): value for key, value in node.value.items()}, node.line, node.column, keys=keys)


def _bias(node: Node) -> Node:
    if not isinstance(node.value, list):
        return node
    out: dict[str, Node] = {}
    for entry in node.value:
        left = _Mapping(entry)
        token, bias = left.take("token_id"), left.take("bias_value")
        if token is None or bias is None:
            return node
        out[str(token.value)] = bias
    return Node(out, node.line, node.column, keys={})


def _message(node: Node) -> Node:
    left = _Mapping(node)
    left.move("content_items", "content", _each(_part))
    left.move("tool_calls", "tool_calls", _each(_tool_call))
    left.move("tool_call_id", "tool_call_id")
    return left.done()


def _part(node: Node) -> Node:
    left = _Mapping(node)
    left.put("type", Node("text", node.line, node.column))
    return left.done()


def _tool_call(node: Node) -> Node:
    left = _Mapping(node)
    name, arguments = left.take("name"), left.take("args")
    if name is None:
        return left.done()
    function = {"name": name}
    if arguments is not None:
        function["arguments"] = arguments
    left.put("type", Node("function", node.line, node.column))
    left.put("function", Node(function, node.line, node.column, keys={}))
    return left.done()
