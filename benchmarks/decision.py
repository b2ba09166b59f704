"""How long a decision takes: p50 and p99 in microseconds, one row per kind of router.

`python -m benchmarks.decision [--rounds N]`. Every table has 100 rules and 50 targets; the user changes
from call to call. The rows differ in what the rules look like, because that is what costs: comparisons with words
and numbers are found in tables, whatever else a condition says is for the CEL engine, 1 to 2 microseconds each.
"""

import argparse
import gc
import time
from collections.abc import Callable, Sequence

from policies import (
    Condition,
    Facts,
    ModelChoice,
    Policy,
    Prices,
    Route,
    RoutingTable,
    Target,
    TargetHealth,
    Targets,
    Variant,
)

RULES = 100
TARGETS = 50
GOAL_US = 30.0
PROVIDERS = tuple(f"provider{number}" for number in range(5))
MODELS = tuple(
    Target(PROVIDERS[number % 5], f"model-{number}", prices=Prices(number * 1e-6, number * 2e-6))
    for number in range(TARGETS)
)
WARM = {
    target.name: TargetHealth(latency_s=0.1 + number / 100, tokens_per_s=50.0 + number)
    for number, target in enumerate(MODELS)
}


def pair(number: int) -> tuple[Variant, ...]:
    """Two variants with a fallback each."""
    first, second = MODELS[number % TARGETS].name, MODELS[(number + 1) % TARGETS].name
    return (
        Variant("control", 90, ModelChoice(first, fallbacks=(second,))),
        Variant("treatment", 10, ModelChoice(second, fallbacks=(first,))),
    )


def table(expression: Callable[[int], str], default: ModelChoice | None = None) -> RoutingTable:
    """A table with one router of 100 rules."""
    routes = tuple(Route(f"r{number}", pair(number), Condition(expression(number))) for number in range(RULES))
    last = Route("default", (Variant("only", 100, default),) if default else pair(0))
    policy = Policy("bench", unit=("user", "metadata.session_id"), routes=routes, default=last)
    return RoutingTable(Targets(PROVIDERS, MODELS), [policy])


def facts(number: int, *, tier: int = 87) -> Facts:
    """One request; the user changes, the rule that matches is `tier`."""
    return Facts(
        "router/bench",
        user=f"user-{number}",
        metadata={"tier": f"t{tier}", "language": "es", "turns": 12, "country": "DE", "session_id": "s-1"},
        messages=({"role": "user", "content": "where is my order?"},),
        health=WARM,
        now_s=1000.0,
    )


def measure(decide: RoutingTable, requests: Sequence[Facts]) -> tuple[float, float]:
    """p50 and p99 of one decision in microseconds."""
    for request in requests[:200]:
        decide.decide(request)
    samples = []
    gc.disable()
    for request in requests:
        started = time.perf_counter_ns()
        decide.decide(request)
        samples.append(time.perf_counter_ns() - started)
    gc.enable()
    samples.sort()
    return samples[len(samples) // 2] / 1000, samples[len(samples) * 99 // 100] / 1000


def cases() -> dict[str, tuple[RoutingTable, int]]:
    """Tables by the words of their row, with the tier that the requests carry."""
    auto = ModelChoice("auto", sort=("price",))
    return {
        "tier == word, the 88th of 100 matches": (table(lambda n: f'tier == "t{n}"'), 87),
        "tier == word && turns > n": (table(lambda n: f'tier == "t{n}" && turns > 3'), 87),
        "tier in [..] || .., language, messages": (
            table(lambda n: f'language == "es" && tier in ["t{n}", "x{n}"] && messages.size() > 0'),
            87,
        ),
        "none matches, default by price": (table(lambda n: f'tier == "t{n}"', auto), 999),
        "none matches, default by latency": (table(lambda n: f'tier == "t{n}"', ModelChoice("auto")), 999),
        "turns > n && country == word": (table(lambda n: f'turns > {n % 13 - 1} && country == "C{n}"'), 87),
        "worst: 100 conditions for the engine": (table(lambda n: f'country.startsWith("X{n}")'), 87),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5000)
    rounds = parser.parse_args().rounds
    print(f"{'100 rules, 50 targets':42} {'p50 µs':>8} {'p99 µs':>8}   goal p50 {GOAL_US:.0f}")
    for words, (made, tier) in cases().items():
        p50, p99 = measure(made, [facts(number, tier=tier) for number in range(rounds)])
        print(f"{words:42} {p50:8.1f} {p99:8.1f}")


if __name__ == "__main__":
    main()
