"""Figures measured by a run: kept in `figures.json` when RR_WRITE_FIGURES is set, for the page about the contract."""

import json
import os
from pathlib import Path

FILE = Path(__file__).parent / "figures.json"


def keep(row, value, unit):
    """Keep the largest value seen for a row of the matrix. `unit` may say more: `ms beyond the timer`."""
    if not os.environ.get("RR_WRITE_FIGURES"):
        return
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    name = f"{row.number} {row.fault}"
    kept[name] = {"value": round(max(value, kept.get(name, {}).get("value", 0.0)), 1), "unit": unit}
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
