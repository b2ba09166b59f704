"""A router file as frozen models: our own spelling. Inworld's nested one is turned into it by `inworld.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from router import ttft
from router.request import ROUTING

from .models import Attempts, Hedge, OnInterrupt, Profile, Timeouts
from .scalars import LONG_TIME, NAME, Identifier, Model, ModelString

Name = Annotated[str, Field(min_length=1, max_length=200, pattern=NAME)]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
SortMetric = Literal["price", "latency", "throughput", "intelligence", "math", "coding"]
Direction = Literal["ascending", "descending"]
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
ALIASES = {"stop_sequences": "stop", "max_new_tokens": "max_tokens"}  # Inworld's names of parameters -> OpenAI's
NO_PARAMETERS = (ROUTING | {"extra_body", "model", "messages", "stream", "stream_options"}) - {"reasoning"}


def _for_a_model(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in parameters:
        if name in NO_PARAMETERS:
            raise PydanticCustomError(
                "parameter", f"{name!r} is no parameter of a model: the request or the variant says"
            )
    for alias, name in ALIASES.items():
        if alias in parameters and parameters.get(name, parameters[alias]) != parameters[alias]:
            raise PydanticCustomError("exclusive", f"{alias} is another name of {name}, and both are set")
    return parameters


def _spoken(message: Mapping[str, Any]) -> Mapping[str, Any]:
    if message.get("role") not in ROLES:
        raise PydanticCustomError("role", "a message needs a role: system, developer, user, assistant or tool")
    if message.get("content") is None and message.get("tool_calls") is None:
        raise PydanticCustomError("content", "a message needs content")
    return message


Parameters = Annotated[Mapping[str, Any], AfterValidator(_for_a_model)]
Messages = tuple[Annotated[Mapping[str, Any], AfterValidator(_spoken)], ...]


class SortKey(Model):
    """One metric to order a pool by, with a direction where it is not the metric's natural one."""

    metric: SortMetric = Field(description="What is compared")
    direction: Direction | None = Field(
        default=None, description="Absent: the metric's natural one, cheap, quick or clever first"
    )


class Ordering(Model):
    """Which providers to prefer, and whether anything else may answer."""

    order: tuple[str, ...] = Field(default=(), description="Providers, in order of preference")
    allow_fallbacks: bool = Field(default=True, description="Whether the others may answer, too")


class Fallback(Model):
    """When to go on to the next target although nothing has failed. The request's own value wins."""

    ttft_timeout: str = Field(
        pattern=ttft.FORM,
        description='No first token by then: the next target, if there is one; "300ms" to "600s"',
    )

    @field_validator("ttft_timeout")
    @classmethod
    def _not_too_hasty(cls, text: str) -> str:
        try:
            ttft.seconds(text)
        except ValueError as error:
            raise PydanticCustomError("out_of_range", "{reason}", {"reason": str(error)}) from None
        return text


class Variant(Model):
    """A side of a split: where it goes and what is sent along."""

    id: Name = Field(description="Its name in records and metrics")
    weight: Percent = Field(description="Per cent of the route; the weights of a route sum to 100")
    model: ModelString = Field(description="Where its requests go")
    fallbacks: tuple[ModelString, ...] = Field(default=(), description="Tried next, in this order")
    models: tuple[ModelString, ...] = Field(default=(), description="With `model: auto`: the pool; else more fallbacks")
    ignore: tuple[str, ...] = Field(default=(), description="Models or providers that must not be used")
    sort: tuple[SortMetric | SortKey, ...] = Field(
        default=(), description="How a pool is ordered: the first metric ranks, the others break ties"
    )
    provider: Ordering | None = None
    parameters: Parameters = Field(
        default_factory=dict, description="Of the model (`temperature`, …); what the caller sends itself wins"
    )
    messages: Messages = Field(
        default=(), description="Put before the caller's; `{{name}}` is filled from `prompt_variables`"
    )
    fallback: Fallback | None = None
    web_search: Mapping[str, Any] | None = Field(
        default=None, description="Inworld's tool: answered without it, and the answer says so"
    )
    web_search_options: Mapping[str, Any] | None = Field(default=None, description="OpenAI's: sent on to the provider")
    compression: Mapping[str, Any] | None = Field(default=None, description="Kept, nothing is compressed")

    @model_validator(mode="after")
    def _one_way_to_search(self) -> "Variant":
        if self.web_search is not None and self.web_search_options is not None:
            raise PydanticCustomError(
                "exclusive", "web_search (a tool) and web_search_options (the provider's own) exclude each other"
            )
        return self


class Route(Model):
    """Variants behind a condition. The default route has none."""

    id: Name = Field(description="Its name in records and metrics")
    when: str | None = Field(default=None, max_length=20_000, description="CEL; absent only in the default route")
    variants: tuple[Variant, ...] = Field(description="Who shares its requests")


class Layer(Model):
    """A layer of experiments that exclude each other, and the slots (of 100) this one has."""

    name: Name = Field(description="Experiments of one layer exclude each other")
    slots: tuple[Percent, Percent] = Field(description="From and to, of 100")


class Rollout(Model):
    """A ramp: from `start`, the variant's weight follows the steps `[after, weight]`."""

    route: Name = Field(description="Which route")
    variant: Name = Field(description="Whose weight grows; the route's others share the rest")
    start: datetime = Field(description="When, as ISO 8601 with a time zone")
    steps: tuple[tuple[Annotated[str, Field(pattern=LONG_TIME)], Percent], ...] = Field(
        description='`[after, weight]`, such as `["0h", 1]`, `["24h", 10]`'
    )


class Metric(Model):
    """What the experiment measures."""

    name: Name = Field(description="As `POST /v1/router/feedback` calls it")
    kind: Literal["mean", "proportion", "count", "ratio", "quantile"] = Field(
        default="mean", description="What its values are"
    )


class Guardrail(Model):
    """A metric that must not get worse."""

    metric: Name = Field(description="`error_rate`, `fallback_rate`, `cost_usd`, `ttft_p95` or `duration_p95`")
    max_increase: float | None = Field(
        default=None, allow_inf_nan=False, description="Over control's, in the metric's own unit"
    )
    max_ratio: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="Times control's")


class Experiment(Model):
    """How the router's splits are run as an experiment."""

    enabled: bool = Field(default=True, description="Kill switch: false gives everybody the control")
    control: Name | None = Field(
        default=None, description="The variant the others are compared with; absent: each route's first"
    )
    layer: Layer | None = None
    holdout: Percent = Field(default=0, description="Per cent of the units that always get the control")
    coverage: Percent = Field(
        default=100, description="Per cent of the units that are let in; the others get the control"
    )
    rollout: Rollout | None = None
    metrics: tuple[Metric, ...] = Field(default=(), description="Outcomes that are reported")
    guardrails: tuple[Guardrail, ...] = Field(
        default=(), description="What must not get worse; a variant that surely does is taken from everybody"
    )


class RouterDefaults(Model):
    """Inworld's router defaults; a variant's own values replace them whole."""

    parameters: Parameters = Field(default_factory=dict, description="For variants without their own")
    messages: Messages = Field(default=(), description="For variants without their own")
    fallback: Fallback | None = None
    optimize_prompt: bool | None = Field(default=None, description="Kept, no effect")


class RouterFile(Model):
    """One router, as written."""

    router: Identifier = Field(description="Its name: callers ask for `router/NAME`")
    display_name: str | None = Field(default=None, description="For people")
    kind: Literal["chat", "transcription", "speech", "realtime"] = Field(
        default="chat",
        description="What its targets are: chat models, ears, voices, or models that speak for themselves",
    )
    unit: tuple[str, ...] | str = Field(
        default=("user",), description="Who is randomised: `user` or keys of the metadata; the first that is present"
    )
    salt: Name | None = Field(default=None, description="Absent: the router's name; a new salt deals everybody again")
    assign: Literal["rendezvous", "ranges"] = Field(
        default="rendezvous",
        description="`rendezvous`: a change of weights moves as few as possible; `ranges`: slices, in order",
    )
    hash: Literal["sha256", "growthbook-v2"] = Field(
        default="sha256", description="`growthbook-v2` assigns as GrowthBook does"
    )
    routes: tuple[Route, ...] = Field(
        default=(), description="Tested in order; the first whose condition holds is taken"
    )
    default: Route | None = Field(default=None, description="What no route takes")
    fallbacks: tuple[ModelString, ...] = Field(default=(), description="Behind every variant's own")
    intents: Mapping[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        default_factory=dict, description="Names -> example sentences, from which `intent` is inferred"
    )
    experiment: Experiment | None = None
    defaults: RouterDefaults | None = None
    profile: Profile | None = Field(default=None, description="As in the server file, for this router")
    timeouts: Timeouts | None = None
    on_interrupt: OnInterrupt | None = Field(default=None, description="The same")
    attempts: Attempts | None = None
    hedge: Hedge | None = None

    @property
    def units(self) -> tuple[str, ...]:
        """`unit` as a tuple, however it was written."""
        return (self.unit,) if isinstance(self.unit, str) else self.unit

    @property
    def every_route(self) -> tuple[Route, ...]:
        """All routes, the default one last."""
        return (*self.routes, self.default) if self.default else self.routes


class Case(Model):
    """A golden case: given these facts, this is chosen."""

    given: Mapping[str, Any]
    expect: Mapping[str, str | None]
