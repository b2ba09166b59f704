"""The server file as frozen models. Unknown keys are refused; nothing is repaired in silence."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .realtime import Realtime
from .scalars import ADDRESS, ORIGIN, RECORDS, STATE, Count, Fraction, Identifier, Model, ModelString, Seconds

Profile = Literal["interactive", "resilient", "patient", "voice"]
ProviderKind = Literal["openai", "litellm", "demo", "local", "scripted"]
OnInterrupt = Literal["error", "continue"]

MIN_SECRET = 8
SHORTEST_JWT_SECRET = 32


class Server(Model):
    """Where the server listens."""

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; beyond loopback only with keys configured"
    )
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0: any free one")
    metrics_port: int | None = Field(
        default=None, ge=0, le=65_535, description="Serve /metrics here instead of on `port`; needs `workers: 1`"
    )
    workers: int = Field(default=1, ge=1, le=256, description="Processes that share the port")

    @model_validator(mode="after")
    def _one_port_for_one_process(self) -> "Server":
        if self.metrics_port is not None and self.workers > 1:
            raise PydanticCustomError("unsupported", "metrics_port needs workers: 1, every worker has its own metrics")
        return self


class Key(Model):
    """One API key of a caller and what it may do."""

    id: Identifier = Field(description="Its name in logs, records and metrics; never the secret")
    secret: SecretStr = Field(min_length=MIN_SECRET, description='Usually "${NAME}"; also NAME_FILE')
    routers: tuple[str, ...] = Field(
        default=("*",), description="Routers it may use, as patterns; models named directly are not limited"
    )
    write: bool = Field(default=False, description="May change routers over /router/v1/routers")
    rpm: Count | None = Field(default=None, description="Requests a minute")
    tpm: Count | None = Field(default=None, description="Tokens a minute, of prompts and answers")
    concurrent: Count | None = Field(default=None, description="Requests at once")
    budget_usd_per_day: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="List price of what may be spent from midnight to midnight UTC",
    )
    concurrent_sessions: Count = Field(default=20, description="Voice sessions at once")
    packets_per_second: Count = Field(
        default=1000, description="Events a second, over all its voice sessions in one process"
    )


WebOrigin = Annotated[str, StringConstraints(pattern=ORIGIN, max_length=300, to_lower=True)]


class Jwt(Model):
    """Session tokens and client secrets. An empty secret means: a fresh one at each start."""

    secret: SecretStr = Field(default=SecretStr(""), description="Empty, or at least 32 bytes")
    ttl_s: Seconds = Field(default=3600, description="How long a session token is good")

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value().encode()) < SHORTEST_JWT_SECRET:
            raise PydanticCustomError("too_short", "must be empty or at least 32 bytes long")
        return secret


class Auth(Model):
    """Who may call. No keys: open, and then only on a loopback address."""

    keys: tuple[Key, ...] = Field(default=(), description="API keys of callers; none: open, on loopback only")
    jwt: Jwt = Jwt()
    origins: tuple[WebOrigin, ...] | None = Field(
        default=None,
        description="Pages that may call from a browser, beside the router's own. Absent: any page with a key; without "
        "keys, pages of this machine",
    )


class ProviderSpeech(Model):
    """What a server's speech endpoints do beyond OpenAI's own."""

    rate: int = Field(default=24_000, ge=8_000, le=192_000, description="Of `response_format: pcm`, in Hz")
    voice: str = Field(default="alloy", description="Where a session names none")
    word_times: bool = Field(default=False, description="Ask transcriptions for `verbose_json` with word times")
    steering: tuple[str, ...] = Field(
        default=(),
        description="Speech models (patterns) that follow steering tags like [say warmly]; others never see them",
    )
    extras: tuple[str, ...] = Field(
        default=(), description="Names of `providerData.stt` and `.tts` that are passed on in the request"
    )


class ProviderRealtime(Model):
    """Models of a server that hear and speak by themselves, over a WebSocket at `base_url` + `/realtime`."""

    models: tuple[str, ...] = Field(
        default=(),
        description="Names or patterns (`gpt-realtime*`); what the catalogue lists as realtime needs no entry",
    )
    dialect: Literal["ga", "beta"] = Field(default="ga", description="OpenAI's present event shapes, or the beta's")


class Provider(Model):
    """A provider. Known names have kind, base_url and the usual key variable by default."""

    kind: ProviderKind = Field(
        default="openai", description="How it is spoken to; `scripted` fails on demand, for tests"
    )
    base_url: str | None = Field(default=None, pattern=ADDRESS, description="Where it is, with the `/v1` it may have")
    api_key: SecretStr | None = Field(
        default=None, description='Usually "${NAME}"; absent: the usual variable of a known provider'
    )
    headers: Mapping[str, str] = Field(default_factory=dict, description="Sent with every call")
    allow_private: bool = Field(default=False, description="Allow private and loopback addresses")
    max_inflight: Count | None = Field(
        default=None, description="Calls at once; more wait briefly, then the next target is asked"
    )
    models: tuple[str, ...] | None = Field(
        default=None, description="What it offers to bare model names; default: catalogue"
    )
    options: Mapping[str, Any] = Field(default_factory=dict, description="Passed to litellm (api_version, region…)")
    speech: ProviderSpeech = ProviderSpeech()
    realtime: ProviderRealtime = ProviderRealtime()


class Timeouts(Model):
    """Limits of an attempt, and of a whole request. Absent: the profile's."""

    connect_s: Seconds | None = Field(default=None, description="Until the connection stands")
    first_token_s: Seconds | None = Field(default=None, description="Until the first token of a stream")
    idle_s: Seconds | None = Field(default=None, description="Between two pieces of a stream")
    total_s: Seconds | None = Field(default=None, description="The whole request, all attempts together")
    answer_s: Seconds | None = Field(default=None, description="First byte of an answer that is not streamed")


class Attempts(Model):
    """How often to try."""

    max: int | None = Field(default=None, ge=1, le=20, description="Calls a request may make")
    retry_budget: Fraction | None = Field(
        default=None, description="Retries as a share of the requests, so that an outage does not double the traffic"
    )
    retry_same: int | None = Field(
        default=None, ge=0, le=5, description="Repeat a 5xx on the same target so often before the next one"
    )
    wait_for_retry_after_s: float | None = Field(
        default=None,
        ge=0,
        le=120,
        allow_inf_nan=False,
        description="Wait so long for a target that said Retry-After, rather than go to the next",
    )


class Hedge(Model):
    """A second call to another target while the first one is slow to begin; the one that answers first wins."""

    after_s: Seconds = Field(description="How long the first call may be silent; about the 95th percentile")
    max_extra: Fraction = Field(default=0.05, description="Hedges as a share of the requests, at most")


class Cooldown(Model):
    """When to rest a failing target."""

    consecutive_failures: int = Field(default=5, ge=1, le=1000, description="So many in a row, and the target rests")
    base_s: Seconds = Field(
        default=30, description="The first rest; it grows each time the target comes back and fails again"
    )
    max_s: Seconds = Field(default=300, description="The longest rest")


class Defaults(Model):
    """What holds for every request; `profile` sets the values that are not written out."""

    profile: Profile = Field(
        default="interactive",
        description="interactive: falls back at once; resilient: repeats, waits and continues interrupted answers; "
        "patient: long reasoning; voice: gives up early",
    )
    timeouts: Timeouts = Timeouts()
    on_interrupt: OnInterrupt | None = Field(
        default=None, description="A stream that breaks: end with one error event, or continue on another target"
    )
    attempts: Attempts = Attempts()
    hedge: Hedge | None = Field(default=None, description="Absent: a request makes one call at a time")
    cooldown: Cooldown = Cooldown()


class State(Model):
    """Where the limits of keys are kept: in each process, or in a Redis that several nodes share."""

    url: str = Field(
        default="memory://",
        pattern=STATE,
        description="memory://: in each process; redis://HOST:PORT: shared (needs the extra redis)",
    )


class Records(Model):
    """Where exposures, requests, attempts and outcomes are written: SQLite or PostgreSQL. null: nowhere."""

    url: str | None = Field(
        default="sqlite:///realtime-router.db",
        pattern=RECORDS,
        description="sqlite:///FILE, or postgresql://USER:PASSWORD@HOST:PORT/DATABASE (needs the extra postgres)",
    )


class Price(Model):
    """A price of your own, in US dollars per million tokens; wins over the bundled list."""

    input: float = Field(ge=0, allow_inf_nan=False, description="Of prompts")
    output: float = Field(ge=0, allow_inf_nan=False, description="Of answers")


class Scores(Model):
    """Quality scores of your own; win over the shipped table."""

    intelligence: float | None = Field(default=None, allow_inf_nan=False, description="For `sort: intelligence`")
    math: float | None = Field(default=None, allow_inf_nan=False, description="For `sort: math`")
    coding: float | None = Field(default=None, allow_inf_nan=False, description="For `sort: coding`")


class ServerFile(Model):
    """The server file, as written."""

    version: Literal[1] = Field(default=1, description="Of this format")
    server: Server = Server()
    auth: Auth = Auth()
    providers: Mapping[Identifier, Provider | None] | None = Field(
        default=None, description="Absent: every provider whose usual key variable is set"
    )
    defaults: Defaults = Defaults()
    routers: tuple[str, ...] | None = Field(default=None, description="Folders or files; absent: the shipped ones")
    realtime: Realtime = Realtime()
    aliases: Mapping[str, ModelString] = Field(
        default_factory=dict,
        description="Names -> model strings; `*` in a name matches anything, where nobody serves the name",
    )
    prices: Mapping[str, Price] = Field(default_factory=dict, description="By provider/model")
    scores: Mapping[str, Scores] = Field(default_factory=dict, description="By model or provider/model")
    state: State = State()
    records: Records = Records()
