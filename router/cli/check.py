"""`check`: everything that is wrong, at its place; golden cases; lint. Leaves with 1 when something is wrong."""

import os
from collections.abc import Iterable
from pathlib import Path

from router.config import load
from router.config.check import Check, Report, check_config, check_files
from router.config.findings import ConfigError

from .show import console


def run(files: list[Path], *, strict: bool = False, also: Iterable[Check] = ()) -> int:
    """Check `files`, or what `serve` would load; `also` looks at whole configurations."""
    named = os.environ.get("RR_CONFIG")
    if not files and named:
        files = [Path(named)]
    report = Report()
    if files:
        report = check_files(files, os.environ, also)
    else:
        try:
            check_config(load(None, os.environ), report, also)
        except ConfigError as error:
            report.add(error)
    return show(report, strict=strict)


def show(report: Report, *, strict: bool = False) -> int:
    """Print findings and a summary; the exit code."""
    out = console(stderr=True)
    for finding in report.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        head, _, rest = finding.render(report.texts.get(finding.file)).partition("\n")
        out.print(head, style=f"bold {colour}", markup=False)
        out.print(rest + "\n", markup=False)
    errors = len(report.errors)
    warnings = len(report.findings) - errors
    bad = errors > 0 or (strict and warnings > 0)
    words = [_count(len(report.files), "file"), _count(report.cases, "golden case")]
    words += [_count(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    console().print(("not good: " if bad else "good: ") + ", ".join(words), style="red" if bad else "green")
    return 1 if bad else 0


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
