"""Figures measured by a run: kept in `figures.json` when RR_WRITE_FIGURES is set, for the page about the contract."""

import json
import os
from pathlib import Path

FILE = Path(__file__).parent / "figures.json"


def measured(row, milliseconds):
    """Keep a row's slowest figure."""
    keep(f"{row.number} {row.fault}", milliseconds, "ms")


def keep(name, value, unit):
    """Keep the largest value seen under a name."""
    if not os.environ.get("RR_WRITE_FIGURES"):
        return
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    before = kept.get(name, {}).get("value", 0.0)
    kept[name] = {"value": round(max(value, before), 1), "unit": unit}
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
