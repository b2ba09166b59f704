"""The environments that several test files share."""

from .environments import Node, Python

NODE = Node("node", ("openai@7.55.0", "@openai/agents-realtime@0.20.0", "ws@8.23.0", "zod@4.1.12"))
WEBSOCKETS = Python("websockets", ("websockets==15.0.1",))
SHARED = ("websockets==15.0.1", "distro==1.9.0", "tqdm==4.70.1", "sniffio==1.3.1")
OPENAI = ("openai==3.52.0", "httpx2==2.16.2", "httpcore2==2.16.2", "truststore==0.10.5", *SHARED)
OPENAI_3 = Python("openai-3", OPENAI)
AGENTS = Python(
    "agents",
    (
        *OPENAI,
        "openai-agents==0.24.0",
        "griffelib==2.4.1",
        "mcp==2.3.0",
        "mcp-types==2.3.0",
        "httpx-sse==0.4.3",
        "jsonschema==4.26.0",
        "pydantic-settings==2.16.3",
        "python-multipart==0.0.34",
        "sse-starlette==3.7.0",
    ),
)
