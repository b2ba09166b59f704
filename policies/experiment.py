"""An experiment: who is let in, and when. Everything here is a function of configuration, unit and wall clock."""

from dataclasses import dataclass
from fractions import Fraction

from .route import Weight, exact


@dataclass(frozen=True, slots=True)
class Layer:
    """Mutual exclusion: of the slots 0 to 100 of the layer, this experiment owns `start` to `stop`."""

    name: str
    start: Weight
    stop: Weight


@dataclass(frozen=True, slots=True)
class Rollout:
    """A variant's share over time: from `start_s` (Unix time), `steps` of (seconds after the start, percentage).

    Before the start the share is 0; the other variants of the route divide the rest by their weights.
    """

    route: str
    variant: str
    start_s: float
    steps: tuple[tuple[float, Weight], ...]

    def share(self, wall_s: float) -> Fraction:
        """The variant's percentage at this time."""
        passed_s = wall_s - self.start_s
        reached = [exact(percent) for after_s, percent in self.steps if after_s <= passed_s]
        return reached[-1] if reached else Fraction(0)


@dataclass(frozen=True, slots=True)
class Metric:
    """An outcome that is compared between variants. `kind` is mean, proportion or ratio."""

    name: str
    kind: str = "mean"


GUARDED = ("error_rate", "fallback_rate", "cost_usd", "ttft_p95", "duration_p95")


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A metric of `GUARDED` that must not get worse than control by more than this; else everybody gets the control.

    `max_increase` is in the metric's own unit: a share, US dollars a request, or seconds.
    """

    metric: str
    max_increase: float | None = None
    max_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """Who takes part. `control` is the variant for everybody who does not: by default each route's first one.

    Order of evaluation: kill switch, tripped guardrail, forced variant, holdout, layer, coverage, variant.
    """

    enabled: bool = True
    control: str | None = None
    layer: Layer | None = None
    holdout: Weight = 0
    coverage: Weight = 100
    rollout: Rollout | None = None
    metrics: tuple[Metric, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
