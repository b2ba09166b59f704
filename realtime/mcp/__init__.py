"""Tool servers (MCP): a client over streamable HTTP, and the errands a session sends it on."""
