"""The environments that several test files share."""

from .environments import Node, Python

NODE = Node(
    "node", ("openai@7.55.0", "@anthropic-ai/sdk@1.11.0", "@openai/agents-realtime@0.20.0", "ws@8.23.0", "zod@4.1.12")
)
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
LIVEKIT = Python(
    "livekit",
    (
        *OPENAI,
        "livekit-plugins-openai==1.8.9",
        "livekit-agents==1.8.9",
        "livekit==1.1.21",
        "livekit-api==1.2.2",
        "livekit-protocol==1.1.29",
        "livekit-blingfire==1.2.0",
        "livekit-local-inference==0.2.7",
        "aiofiles==25.1.0",
        "av==18.1.0",
        "colorama==0.4.6",
        "docstring-parser==0.18.0",
        "eval-type-backport==0.4.0",
        "json-repair==0.63.5",
        "nest-asyncio==1.6.0",
        "opentelemetry-api==1.45.0",
        "opentelemetry-exporter-otlp-proto-common==1.45.0",
        "opentelemetry-exporter-otlp-proto-http==1.45.0",
        "opentelemetry-proto==1.45.0",
        "opentelemetry-sdk==1.45.0",
        "opentelemetry-semantic-conventions==0.66b0",
        "protobuf==7.36.2",
        "psutil==7.2.2",
        "sounddevice==0.5.6",
        "watchfiles==1.3.0",
    ),
)
PIPECAT = Python(
    "pipecat",
    (
        *OPENAI,
        "pipecat-ai==1.14.0",
        "audioop-lts==0.2.2; python_version >= '3.13'",
        "aiofiles==25.1.0",
        "docstring-parser==0.18.0",
        "loguru==0.7.3",
        "loudness==0.2.0",
        "pillow==13.0.0",
        "sentencex==1.0.32",
        "soxr==1.1.0",
        "wait-for2==0.4.1",
    ),
)
# The turn model of pipecat, what runs it, and no more of pipecat than its own reading of it needs.
SMART_TURN = Python(
    "smart-turn",
    (
        "pipecat-ai==1.14.0",
        "audioop-lts==0.2.2; python_version >= '3.13'",
        "onnxruntime==1.31.1",
        "loguru==0.7.3",
        "soxr==1.1.0",
        "wait-for2==0.4.1",
    ),
)
