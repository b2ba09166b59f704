"""Fails when too little is covered: every branch of the pure rooms, most of the rest. Reads what pytest-cov left."""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import coverage

PURE = ("policies/", "realtime/protocol/", "router/proxy/dialects/")
PURE_FLOOR = 100.0
FLOOR = 85.0
SHOWN = 20


@dataclass(slots=True)
class Share:
    """Lines and branches together, as coverage counts them."""

    covered: int = 0
    wanted: int = 0

    def add(self, summary):
        self.covered += summary["covered_lines"] + summary.get("covered_branches", 0)
        self.wanted += summary["num_statements"] + summary.get("num_branches", 0)

    @property
    def percent(self):
        return 100.0 * self.covered / self.wanted if self.wanted else 100.0


def report(root):
    """Coverage's own JSON report of the data below `root`, worker processes' included."""
    measured = coverage.Coverage(config_file=str(root / "pyproject.toml"), data_file=str(root / ".coverage"))
    if any(root.glob(".coverage.*")):
        measured.combine()
    measured.load()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coverage.json"
        measured.json_report(outfile=str(path))
        return json.loads(path.read_text(encoding="utf-8"))["files"]


def shortfalls(files):
    """What is below its floor, one line each; empty when all is well."""
    pure, rest = Share(), Share()
    gaps = []
    for path, entry in sorted(files.items()):
        name = path.replace("\\", "/")
        is_pure = name.startswith(PURE)
        (pure if is_pure else rest).add(entry["summary"])
        missing = [str(line) for line in entry["missing_lines"]]
        missing += [f"{start}->{end}" for start, end in entry.get("missing_branches", [])]
        if is_pure and missing:
            gaps.append(f"  {name}: {', '.join(missing[:SHOWN])}")
    found = []
    if pure.wanted == 0 or rest.wanted == 0:
        found.append("nothing was measured; run the tests with --cov first")
    if pure.percent < PURE_FLOOR:
        found.append(f"{' and '.join(PURE)} are covered to {pure.percent:.2f} %, {PURE_FLOOR:g} % is the floor:")
        found += gaps
    if rest.percent < FLOOR:
        found.append(f"the rest is covered to {rest.percent:.2f} %, {FLOOR:g} % is the floor")
    print(f"coverage: pure rooms {pure.percent:.2f} %, the rest {rest.percent:.2f} %")
    return found


def main():
    """Print what is short; the exit code."""
    found = shortfalls(report(Path(__file__).parent.parent))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
