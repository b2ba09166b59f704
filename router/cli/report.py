"""`report`: an experiment's figures from its records, as tables. Leaves with 1 where nothing may be concluded."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from policies import Policy, RoutingTable
from policies.analysis import LEAST_UNITS
from router.config import ConfigError, load
from router.config.table import build_table
from router.records.ledger import StoreError
from router.records.reading import open_reader
from router.records.report import RouteReport, Side, report, versions

from .show import complain, console, fail

METHOD = "asymptotic confidence sequence (always valid); one observation is one unit"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which router, over which records."""

    router: str
    config: Path | None = None
    records: str | None = None
    version: str | None = None
    alpha: float = 0.05


def run(wanted: Wanted, *, as_json: bool = False) -> int:
    """Print the report; 1 when there is none, or units came in the wrong shares."""
    try:
        config = load(wanted.config, os.environ)
        table = build_table(config)
    except ConfigError as error:
        return complain(error)
    name = wanted.router.removeprefix("router/")
    policy = table.policies.get(name)
    if policy is None:
        return fail(f"there is no router {name!r}; configured are: {', '.join(sorted(table.policies)) or 'none'}")
    try:
        reader = open_reader(wanted.records or config.records.url)
    except (ValueError, StoreError) as error:
        return fail(f"records: {error}")
    version = wanted.version or policy.checksum
    try:
        found = versions(reader, name)
        if version not in found:
            seen = ", ".join(f"{one} ({count} exposures)" for one, count in found.items()) or "none"
            return fail(f"router {name!r} has no records of version {version}; recorded are: {seen} (--experiment)")
        routes = report(
            reader,
            name,
            version,
            shares=Shares(table, name),
            controls={route.id: policy.control(route).id for route in policy.every_route if len(route.variants) > 1},
            models=_targets(table, policy),
            alpha=wanted.alpha,
        )
    except StoreError as error:
        return fail(f"records: {error}")
    finally:
        reader.close()
    if as_json:
        print(json.dumps({"router": name, "experiment": version, "method": METHOD, "alpha": wanted.alpha,
                          "routes": [document_of(one) for one in routes]}, indent=2))  # fmt: skip
    else:
        show(console(), routes, name, version, wanted.alpha)
    return 1 if any(one.mismatch for one in routes) else 0


def _targets(table: RoutingTable, policy: Policy) -> dict[tuple[str, str], str]:
    """The target of each (route, variant) that names one."""
    named = {
        (route.id, variant.id): table.targets.named(variant.choice.model)
        for route in policy.every_route
        for variant in route.variants
    }
    return {key: target.name for key, target in named.items() if target is not None}


class Shares:
    """The configured share of each variant at a time, worked out once a minute."""

    def __init__(self, table: RoutingTable, router: str) -> None:
        self._table = table
        self._router = router
        self._known: dict[int, Mapping[tuple[str, str], Mapping[str, float]]] = {}

    def __call__(self, route: str, wall_s: float) -> Mapping[str, float]:
        """Of one route."""
        minute = int(wall_s // 60)
        if minute not in self._known:
            self._known[minute] = self._table.weights(wall_s)
        return self._known[minute].get((self._router, route), {})


def document_of(one: RouteReport) -> dict[str, Any]:
    """A route's report as JSON."""
    figures = {
        metric: {variant: _side(side) for variant, side in sides.items()} for metric, sides in one.figures.items()
    }
    return {**asdict(one), "mismatch": one.mismatch, "figures": figures}


def _side(side: Side) -> dict[str, Any]:
    said: dict[str, Any] = {"units": side.units, "mean": side.mean}
    if (found := side.against) is not None:
        said |= {"difference": found.difference, "low": found.low, "high": found.high, "p_value": found.p_value}
    return said


def show(out: Console, routes: list[RouteReport], name: str, version: str, alpha: float) -> None:
    """For people."""
    out.print(f"router {name}, version {version}", style="bold", markup=False)
    for one in routes:
        _show_units(out, one)
        if one.mismatch:
            text = f"route {one.route}: units came in other shares than configured (p = {one.srm_p:.2g}). "
            out.print(text + "Something is broken before the figures are: no comparison is shown.", style="red")
        elif one.figures:
            _show_figures(out, one, alpha)
    out.print(f"method: {METHOD}, alpha {alpha:g}; not corrected for several metrics", markup=False)


def _show_units(out: Console, one: RouteReport) -> None:
    table = Table("variant", "units", "expected", "requests", "answered by another model", title=f"Route {one.route}")
    for variant in sorted({*one.units, *one.expected}):
        requests, elsewhere = one.requests.get(variant, 0), one.elsewhere.get(variant, 0)
        share = f"{elsewhere / requests:.1%}" if requests else "-"
        expected = f"{one.expected.get(variant, 0.0):.1f}"
        table.add_row(variant, str(one.units.get(variant, 0)), expected, str(requests), share)
    out.print(table)


def _show_figures(out: Console, one: RouteReport, alpha: float) -> None:
    table = Table(
        "metric", "variant", "units", "mean", f"difference from {one.control}", f"{1 - alpha:.0%} interval", "p"
    )
    for metric, sides in one.figures.items():
        for variant, side in sides.items():
            row = [metric, variant, str(side.units), f"{side.mean:.4g}"]
            found = side.against
            if found is not None:
                sure = "bold" if found.low > 0 or found.high < 0 else ""
                interval = f"{found.low:+.4g} … {found.high:+.4g}"
                row += [f"{found.difference:+.4g}", interval, f"{found.p_value:.3g}"]
                table.add_row(*row, style=sure)
            else:
                table.add_row(*row, *("control", "", "") if variant == one.control else ("-", "-", "-"))
    out.print(table)
    if min((side.units for sides in one.figures.values() for side in sides.values()), default=0) < LEAST_UNITS:
        out.print(f"fewer than {LEAST_UNITS} units in some rows: too early for them", style="yellow")
