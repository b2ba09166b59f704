"""Statistics over what experiments recorded. Pure: counts in, figures out; decisions never depend on this room."""

from .sequential import LEAST_UNITS, Comparison, Moments, compare
from .srm import MINIMUM_UNITS, chi_square_pvalue, log_evidence_step

__all__ = [
    "LEAST_UNITS",
    "MINIMUM_UNITS",
    "Comparison",
    "Moments",
    "chi_square_pvalue",
    "compare",
    "log_evidence_step",
]
