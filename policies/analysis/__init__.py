"""Statistics over what experiments recorded. Pure: counts in, figures out; decisions never depend on this room."""

from .srm import MINIMUM_UNITS, chi_square_pvalue, log_evidence_step

__all__ = ["MINIMUM_UNITS", "chi_square_pvalue", "log_evidence_step"]
