"""Tools between JSON and our own words: functions as they are, tool servers (MCP) checked and shown without secrets."""

from collections.abc import Mapping, Sequence
from typing import Any

from realtime.protocol import is_remote
from router.upstreams.openai_http import checked_headers, checked_key

from .shapes import Refusal

_SECRET = ("headers", "authorization")
_ELSEWHERE = {
    "connector_id": "connectors belong to OpenAI; give the server_url of an MCP server",
    "tunnel_id": "tunnels belong to OpenAI; give the server_url of an MCP server",
}


def read_tools(tools: Sequence[Mapping[str, Any]], where: str) -> tuple[Mapping[str, Any], ...]:
    """The tools of a session or (`where` "response") of one response, which may name a server by its label alone."""
    read: list[Mapping[str, Any]] = []
    labels: set[str] = set()
    for number, tool in enumerate(tools):
        path = f"{where}.tools[{number}]"
        kind = tool.get("type") or "function"
        given = {name: value for name, value in tool.items() if value is not None} if kind == "mcp" else tool
        if kind == "mcp":
            _check_server(given, path, needs_url=where == "session")
            if given["server_label"] in labels:
                message = f"Invalid '{path}.server_label': {given['server_label']!r} is there twice."
                raise Refusal("invalid_value", message, f"{path}.server_label")
            labels.add(given["server_label"])
        read.append({**given, "type": kind})
    return tuple(read)


def _check_server(tool: Mapping[str, Any], path: str, *, needs_url: bool) -> None:
    for name, remedy in _ELSEWHERE.items():
        if name in tool:
            raise Refusal("invalid_value", f"Invalid '{path}.{name}': {remedy}.", f"{path}.{name}")
    url = tool.get("server_url")
    if url is None and needs_url:
        where = f"{path}.server_url"
        raise Refusal("missing_required_parameter", f"Missing required parameter: '{where}'.", where)
    if url is not None and not url.startswith(("http://", "https://")):
        message = f"Invalid '{path}.server_url': must begin with https:// or http://."
        raise Refusal("invalid_value", message, f"{path}.server_url")
    try:
        checked_headers(tool.get("headers") or {})
    except ValueError as error:
        raise Refusal("invalid_value", f"Invalid '{path}.headers': {error}.", f"{path}.headers") from error
    try:
        checked_key(tool.get("authorization"))
    except ValueError as error:
        message = f"Invalid '{path}.authorization': must be printable ASCII without surrounding spaces."
        raise Refusal("invalid_value", message, f"{path}.authorization") from error
    if not tool["server_label"]:
        raise Refusal("invalid_value", f"Invalid '{path}.server_label': must not be empty.", f"{path}.server_label")


def write_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool as the client sees it again: what a server is told of us stays here."""
    if not is_remote(tool):
        return dict(tool)
    return {name: value for name, value in tool.items() if name not in _SECRET}
