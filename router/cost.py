"""What a request cost: tokens as the provider counted them, at list price."""

from collections.abc import Mapping, Sequence
from typing import Any

from policies import Attempt, Outcome, Prices
from policies.frozen import frozen


@frozen
class Tokens:
    """Tokens of one answer."""

    input: int
    output: int


def tokens_of(usage: Mapping[str, Any] | None) -> Tokens | None:
    """Tokens of an OpenAI usage object, or None when it says nothing usable (missing, negative, no numbers, all 0)."""
    if usage is None:
        return None
    given, produced = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if given.__class__ is int and produced.__class__ is int and given > 0 <= produced:
        return Tokens(given, produced)
    given = _count(usage, "prompt_tokens", "input_tokens")
    produced = _count(usage, "completion_tokens", "output_tokens")
    if given is None and produced is None:
        return None
    tokens = Tokens(given or 0, produced or 0)
    return tokens if tokens.input >= 0 and tokens.output >= 0 and tokens.input + tokens.output > 0 else None


def cost_usd(prices: Prices | None, tokens: Tokens | None) -> float | None:
    """List price in US dollars; None when price or tokens are unknown."""
    if prices is None or tokens is None:
        return None
    return prices.input_usd * tokens.input + prices.output_usd * tokens.output


def lost_usd(attempts: Sequence[Attempt], tokens: Tokens | None) -> float:
    """What calls that lost a race have cost at least: the prompt, which they were sent too."""
    if tokens is None:
        return 0.0
    lost = [attempt.target.prices for attempt in attempts if attempt.outcome is Outcome.HEDGE_LOST]
    return sum(prices.input_usd * tokens.input for prices in lost if prices is not None)


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
