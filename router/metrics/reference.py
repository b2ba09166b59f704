"""The reference page of the metrics, made from the table."""

from .table import TABLE, Row

_HEAD = """# Metrics

Made from the code by `python -m router.metrics > docs/metrics.md`; a test says when it is out of date.

Three questions are kept apart: what the client got (`rr_requests_total`), what each call to a target did
(`rr_attempts_total`) and why it was chosen (`rr_decisions_total`). Labels are closed sets: enums, and names of the
configuration or of the shipped catalogue. Anything else is `other`, absent is `none`, a request without a router has
the route `direct`. Users, keys, sessions and free model names are never labels. At most 10,000 series are kept; beyond
that new label values count under `other` and `rr_series_dropped_total` grows.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def reference() -> str:
    """Markdown: a table of all metrics, then the buckets of the histograms."""
    rows = "\n".join(_line(row) for row in TABLE)
    histograms = [row for row in TABLE if row.buckets]
    buckets = "\n".join(f"| `{row.name}` | {', '.join(f'{edge:g}' for edge in row.buckets)} |" for row in histograms)
    return f"{_HEAD}{rows}\n\n## Buckets\n\n| histogram | upper bounds |\n|---|---|\n{buckets}\n"


def _line(row: Row) -> str:
    labels = ", ".join(f"`{label}`" for label in row.labels) or "–"
    return f"| `{row.name}` | {row.kind} | {labels} | {row.about} |"
