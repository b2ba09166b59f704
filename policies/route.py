"""A route: a condition, and the variants that a unit may meet behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .condition import Condition

Weight = int | float | Decimal | Fraction


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which targets answer, best first. `model` is `provider/model`, a bare model or `auto`; never a router.

    `sort` entries are metrics, best first, or `metric:ascending` and `metric:descending`. With `auto`, `models`
    restricts the pool; otherwise they are further fallbacks.
    """

    model: str
    fallbacks: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    provider_order: tuple[str, ...] = ()
    allow_fallbacks: bool = True


@dataclass(frozen=True, slots=True)
class Variant:
    """A side of a split. `weight` is a percentage; 0 takes nobody. `parameters` yield to the request's own."""

    id: str
    weight: Weight
    choice: ModelChoice
    parameters: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] = ()
    first_token_s: float | None = None
    unmet: tuple[str, ...] = field(default=(), compare=False)  # what it asks for and will not get, told with the answer


@dataclass(frozen=True, slots=True)
class Route:
    """Variants behind a condition; no condition (the default route) is always true."""

    id: str
    variants: tuple[Variant, ...]
    condition: Condition | None = None


def exact(weight: Weight) -> Fraction:
    """The weight as it was written: 33.3 is 333/10, not the nearest binary fraction."""
    return Fraction(repr(weight)) if isinstance(weight, float) else Fraction(weight)
