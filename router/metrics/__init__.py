"""Prometheus metrics: an observer of the core. `python -m router.metrics` prints their reference."""

from .labels import LabelSets
from .observer import Metrics
from .port import serve_metrics
from .reference import reference
from .series import Series
from .table import TABLE, Row

__all__ = ["TABLE", "LabelSets", "Metrics", "Row", "Series", "reference", "serve_metrics"]
