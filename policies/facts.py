"""What a decision may look at. Facts are complete: a decision reads nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from .frozen import frozen
from .target import Feature

Protocol = Literal["chat", "realtime"]


@frozen
class RoutingOptions:
    """Routing fields of the request itself (`models`, `sort`, `ignore`, `provider`, `fallback`)."""

    models: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    provider_order: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    first_token_s: float | None = None  # fallback.ttft_timeout


@frozen
class Needs:
    """What the request needs from a target: features, and an estimate of its prompt size."""

    features: frozenset[Feature] = frozenset()
    prompt_tokens: int | None = None
    max_output_tokens: int | None = None


@frozen
class TargetHealth:
    """What this process has lately seen of one target. Absent means: nothing yet, healthy."""

    latency_s: float | None = None  # median time to first token in the window
    tokens_per_s: float | None = None
    rests_until_s: float = 0.0  # cool-down: skipped before this time (same clock as Facts.now_s)
    probing: bool = False  # cool-down is over and the one probe call is already out
    half_open: bool = False  # a rest after failures is over or under way: the next call is a probe
    share: float = 1.0  # slow start after a rest: the fraction of requests that may prefer this target
    full: bool = False  # as many calls are under way as its ceiling allows: the next one waits


@frozen
class Facts:
    """One request as a decision sees it. `now_s` is monotonic; `wall_s` is Unix time (rollouts)."""

    model: str
    protocol: Protocol = "chat"
    user: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[Mapping[str, Any]] = ()
    voice: Mapping[str, Any] = field(default_factory=dict)
    prompt_variables: Mapping[str, Any] = field(default_factory=dict)
    options: RoutingOptions = RoutingOptions()
    needs: Needs = Needs()
    health: Mapping[str, TargetHealth] = field(default_factory=dict)  # by target name; never altered once handed in
    now_s: float = 0.0
    wall_s: float = 0.0
    seed: str = ""  # stands in for a missing unit: one fresh random text per request, recorded
    forced_variant: str | None = None  # x-rr-variant, for keys that may
    tripped: frozenset[str] = frozenset()  # routers whose guardrails have tripped: everybody gets the control
    kind: str = "chat"  # what `auto` may pick from where no router says it: Target.kind
    held: str | None = None  # the target that answered this conversation lately: preferred where measurements rank
