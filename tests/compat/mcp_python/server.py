"""A tool server made with the official MCP package: pages of tools, answers as JSON or as a stream, a session."""

import logging
import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

logging.disable(logging.INFO)
server = MCPServer("compat")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@server.tool()
def break_down(reason: str) -> str:
    """Fails."""
    raise ValueError(reason)


@server.tool()
def ring_bell(times: int) -> str:
    """Rings a bell."""
    return f"rang {times} times"


app = server.streamable_http_app(json_response=sys.argv[1] == "json")
listening = socket.create_server(("127.0.0.1", 0))
print(f"mcp on port {listening.getsockname()[1]} ", flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on")).run(sockets=[listening])
