"""The shapes of what clients send, per dialect, as data."""

from collections.abc import Mapping
from functools import cache

from .dialect import Dialect
from .item_shapes import INPUT_ITEM
from .provider_shapes import PROVIDER
from .shapes import Anything, ByKind, Choice, Flag, ListOf, MapOf, Number, Record, Shape, Tagged, Text, opened

_TEXT, _FLAG, _ANY = Text(), Flag(), Anything()
_RATES = (8000, 16_000, 24_000, 32_000, 44_100, 48_000)
FORMAT_NAMES = {
    "audio/pcm": "pcm16",
    "pcm16": "pcm16",
    "audio/pcmu": "ulaw",
    "g711_ulaw": "ulaw",
    "audio/pcma": "alaw",
    "g711_alaw": "alaw",
    "audio/float32": "float32",
    "float32": "float32",
}
MAX_TOKENS = ByKind("an integer or 'inf'", text=Choice(("inf",)), number=Number(1, 4096, whole=True))
_FILTER = Record({"read_only": _FLAG, "tool_names": ListOf(_TEXT)})
_SERVER = Record(
    {
        "type": _TEXT,
        "server_label": Text(longest=64),
        "server_url": Text(longest=2048),
        "server_description": _TEXT,
        "headers": MapOf(Text(longest=8192), most=32),
        "authorization": Text(longest=8192),
        "allowed_tools": ByKind("an array or an object", array=ListOf(_TEXT), object=_FILTER),
        "require_approval": ByKind(
            "a string or an object",
            text=Choice(("always", "never")),
            object=Record({"always": _FILTER, "never": _FILTER}),
        ),
        "allowed_callers": ListOf(Choice(("direct", "programmatic"))),
        "defer_loading": _FLAG,
        "connector_id": _TEXT,
        "tunnel_id": _TEXT,
    },
    required=("server_label",),
)
_FUNCTION = Record(
    {"name": _TEXT, "description": _TEXT, "parameters": Record({}, open=True)}, required=("name",), open=True
)
BETA_TOOL = Tagged("type", {"function": _FUNCTION}, default="function")
TOOL = Tagged("type", {"function": _FUNCTION, "mcp": _SERVER}, default="function")
INWORLD_TOOL = Tagged("type", {**TOOL.records, "web_search": Record({}, open=True)}, default="function")
_TOOLS = {Dialect.GA: TOOL, Dialect.BETA: BETA_TOOL, Dialect.INWORLD: INWORLD_TOOL}
TOOL_CHOICE = ByKind(
    "a string or an object",
    text=Choice(("none", "auto", "required")),
    object=Tagged(
        "type",
        {
            "function": Record({"type": _TEXT, "name": _TEXT}, required=("name",)),
            "mcp": Record({"type": _TEXT, "server_label": _TEXT, "name": _TEXT}, required=("server_label",)),
        },
    ),
)
METADATA = MapOf(Text(longest=512), most=16, longest_name=64)
TRACING = ByKind(
    "'auto' or an object",
    text=Choice(("auto",)),
    object=Record({"group_id": _TEXT, "metadata": _ANY, "workflow_name": _TEXT}),
)
TRUNCATION = ByKind(
    "'auto', 'disabled' or an object",
    text=Choice(("auto", "disabled")),
    object=Tagged(
        "type",
        {
            "retention_ratio": Record(
                {
                    "type": _TEXT,
                    "retention_ratio": Number(0, 1),
                    "token_limits": Record({"post_instructions": Number(0, whole=True)}),
                },
                required=("retention_ratio",),
            )
        },
    ),
)
VOICE = ByKind("a string or an object", text=_TEXT, object=Record({"id": _TEXT}, required=("id",)))
REASONING = Record({"effort": Choice(("minimal", "low", "medium", "high", "xhigh", "none"))})
PROMPT = Record({"id": _TEXT, "variables": MapOf(_ANY), "version": _TEXT}, required=("id",))
INCLUDE = ListOf(Choice(("item.input_audio_transcription.logprobs",)))
TRANSCRIPTION = Record(
    {
        "model": _TEXT,
        "language": _TEXT,
        "prompt": _TEXT,
        "languages": ListOf(_TEXT),
        "keywords": ListOf(_TEXT),
        "delay": Choice(("minimal", "low", "medium", "high", "xhigh")),
    }
)
NOISE = Record({"type": Choice(("near_field", "far_field")), "strength": Number()})
_SWITCHES: Mapping[str, Shape] = {"type": _TEXT, "create_response": _FLAG, "interrupt_response": _FLAG}
_SERVER_VAD: Mapping[str, Shape] = {
    "threshold": Number(0, 1),
    "prefix_padding_ms": Number(0, whole=True),
    "silence_duration_ms": Number(0, whole=True),
    "idle_timeout_ms": Number(5000, 30_000, whole=True),
}
_SEMANTIC_VAD: Mapping[str, Shape] = {"eagerness": Choice(("low", "medium", "high", "auto"))}
TURN_DETECTION_FIELDS: Mapping[str, Shape] = {**_SWITCHES, **_SERVER_VAD, **_SEMANTIC_VAD}
TURN_DETECTION = Tagged(
    "type",
    {
        "server_vad": Record({**_SWITCHES, **_SERVER_VAD}),
        "semantic_vad": Record({**_SWITCHES, **_SEMANTIC_VAD}),
        "": Record(TURN_DETECTION_FIELDS),  # a partial update that does not say the type
    },
    default="",
)
EXTENSIONS: Mapping[str, Shape] = {
    "providerData": PROVIDER,
    "provider_data": PROVIDER,
    "user": _TEXT,
    "metadata": MapOf(_ANY),
}
BETA_FORMAT = Choice(("pcm16", "g711_ulaw", "g711_alaw"))
BETA_TEMPERATURE = Number(0.6, 1.2)
_MODALITIES = ListOf(Choice(("text", "audio")))


def audio_format(dialect: Dialect) -> Shape:
    """How audio formats are named."""
    if dialect is Dialect.GA:
        rate = Number(24_000, 24_000, whole=True)
        plain = Record({"type": _TEXT})
        pcm = Record({"type": _TEXT, "rate": rate})
        return Tagged("type", {"audio/pcm": pcm, "audio/pcmu": plain, "audio/pcma": plain})
    known = Record({"type": Choice(tuple(FORMAT_NAMES)), "rate": Number(8000, 48_000, whole=True)}, required=("type",))
    return ByKind("a string or an object", text=Choice(tuple(FORMAT_NAMES)), object=known)


def supported_rate(rate: int) -> bool:
    """Whether Inworld's endpoint knows this PCM rate."""
    return rate in _RATES


def _audio_input(dialect: Dialect) -> Record:
    return Record(
        {
            "format": audio_format(dialect),
            "transcription": TRANSCRIPTION,
            "noise_reduction": NOISE,
            "turn_detection": TURN_DETECTION,
        },
        open=dialect is Dialect.INWORLD,
    )


@cache
def session(dialect: Dialect) -> Shape:
    """The `session` of an update."""
    lenient = dialect is Dialect.INWORLD
    output = Record(
        {
            "format": audio_format(dialect),
            "voice": VOICE,
            "speed": Number(0.25, 1.5),
            "model": _TEXT,
            "language": _TEXT,
        },
        open=lenient,
    )
    common: dict[str, Shape] = {
        "type": _TEXT,
        "id": _TEXT,
        "object": _TEXT,
        "expires_at": _ANY,
        "include": INCLUDE,
        **EXTENSIONS,
    }
    realtime: dict[str, Shape] = {
        **common,
        "audio": Record({"input": _audio_input(dialect), "output": output}, open=lenient),
        "model": _TEXT,
        "instructions": _TEXT,
        "output_modalities": _MODALITIES,
        "max_output_tokens": MAX_TOKENS,
        "tools": ListOf(_TOOLS[dialect]),
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": _FLAG,
        "tracing": TRACING,
        "truncation": TRUNCATION,
        "prompt": PROMPT,
        "reasoning": REASONING,
    }
    if lenient:
        realtime |= {"modelId": _TEXT, "temperature": Number(0, 2), "modalities": _MODALITIES}
    listening: dict[str, Shape] = {
        **common,
        "audio": Record({"input": _audio_input(dialect)}, open=lenient),
    }
    return Tagged(
        "type",
        {"realtime": Record(realtime, open=lenient), "transcription": Record(listening, open=lenient)},
        default="realtime" if lenient else None,
    )


_BETA_COMMON: Mapping[str, Shape] = {
    "input_audio_format": BETA_FORMAT,
    "input_audio_transcription": TRANSCRIPTION,
    "input_audio_noise_reduction": NOISE,
    "turn_detection": TURN_DETECTION,
    "modalities": _MODALITIES,
    "include": INCLUDE,
    "client_secret": _ANY,
    **EXTENSIONS,
}
BETA_SESSION = Record(
    {
        **_BETA_COMMON,
        "model": _TEXT,
        "instructions": _TEXT,
        "voice": VOICE,
        "output_audio_format": BETA_FORMAT,
        "tools": ListOf(BETA_TOOL),
        "tool_choice": TOOL_CHOICE,
        "temperature": BETA_TEMPERATURE,
        "max_response_output_tokens": MAX_TOKENS,
        "speed": Number(0.25, 1.5),
        "tracing": TRACING,
        "id": _TEXT,
        "object": _TEXT,
        "expires_at": _ANY,
    }
)
BETA_LISTENING = Record({**_BETA_COMMON, "id": _TEXT, "object": _TEXT, "expires_at": _ANY})


@cache
def response(dialect: Dialect) -> Shape:
    """The `response` of a response.create."""
    fields: dict[str, Shape] = {
        "conversation": _TEXT,
        "input": ListOf(opened(INPUT_ITEM) if dialect is Dialect.INWORLD else INPUT_ITEM),
        "instructions": _TEXT,
        "max_output_tokens": MAX_TOKENS,
        "metadata": METADATA,
        "tool_choice": TOOL_CHOICE,
        "tools": ListOf(_TOOLS[dialect]),
    }
    if dialect is not Dialect.BETA:
        output = Record({"format": audio_format(dialect), "voice": VOICE})
        fields |= {
            "audio": Record({"output": output}),
            "output_modalities": _MODALITIES,
            "parallel_tool_calls": _FLAG,
            "prompt": PROMPT,
            "reasoning": REASONING,
        }
    if dialect is not Dialect.GA:
        fields |= {"modalities": _MODALITIES, "voice": VOICE, "temperature": Number(0, 2)}
    if dialect is Dialect.BETA:
        fields |= {
            "temperature": BETA_TEMPERATURE,
            "max_response_output_tokens": MAX_TOKENS,
            "output_audio_format": BETA_FORMAT,
        }
    return Record(fields, open=dialect is Dialect.INWORLD)
