"""Sample ratio mismatch: do units arrive in the shares that were configured?

Two answers. `chi_square_pvalue` is the well-known test, right when it is looked at once. `log_evidence_step` feeds a
test that may be looked at all day: the Bayes factor of a Dirichlet-multinomial against the configured shares (Lindon
and Malek, "Anytime-Valid Inference for Multinomial Count Data", NeurIPS 2022). While the shares are as configured, it
ever reaches 1000 with a probability of at most 0.001. Counted are distinct units, not requests.
"""

import math
from collections.abc import Mapping

MINIMUM_UNITS = 8  # expected for each variant, below which the test says nothing
PRIOR_UNITS = 1000.0  # how strongly the prior believes in the configured shares


def chi_square_pvalue(observed: Mapping[str, int], expected: Mapping[str, float]) -> float | None:
    """Probability of counts at least as far from `expected` (variant -> units, above 0) if the shares were right.

    None when there are fewer than two variants or one of them is expected less than `MINIMUM_UNITS` times.
    """
    if len(expected) < 2 or min(expected.values()) < MINIMUM_UNITS:
        return None
    statistic = sum((observed.get(name, 0) - units) ** 2 / units for name, units in expected.items())
    return survival(statistic, len(expected) - 1)


def survival(statistic: float, freedom: int) -> float:
    """Probability that a chi-square variable with `freedom` degrees (1 or more) exceeds `statistic` (0 or more).

    The regularised upper incomplete gamma function at whole and half numbers: Q(a + 1, x) = Q(a, x) + x^a e^-x / a!,
    from Q(1/2, x) = erfc(sqrt x) or Q(1, x) = e^-x. All terms are positive, so nothing cancels.
    """
    x = statistic / 2
    if x <= 0:
        return 1.0
    a, sum_ = (0.5, math.erfc(math.sqrt(x))) if freedom % 2 else (1.0, math.exp(-x))
    while a < freedom / 2:
        sum_ += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1
    return min(1.0, sum_)


def log_evidence_step(counts: Mapping[str, int], shares: Mapping[str, float], variant: str) -> float:
    """What the next unit, met by `variant`, adds to the logarithm of the evidence against the configured shares.

    `counts` are the units before it. `shares` sum to 1 and may differ from step to step, as in a rollout.
    """
    share = shares[variant]
    seen = sum(counts.values())
    return math.log((PRIOR_UNITS * share + counts.get(variant, 0)) / ((PRIOR_UNITS + seen) * share))
