"""An experiment's figures from its records: per variant and metric, with intervals that hold at every look.

One observation is one unit (the request itself where there is none): a user with 500 requests counts once, by their
mean. A unit belongs to the variant it was first assigned, whoever answered it in the end. Where units did not arrive in
the configured shares, nothing is compared: then no average can be trusted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from policies.analysis import Comparison, Moments, chi_square_pvalue, compare

from .reading import Reader

MISMATCH_P = 0.001
BUILT_IN = ("error_rate", "fallback_rate", "ttft_ms", "duration_ms", "cost_usd")
UNITS = """
SELECT route_id, COALESCE(unit, seed), variant_id, MIN(time) FROM exposures
WHERE router = ? AND experiment = ? AND reason = 'weight' AND forced = 0
GROUP BY route_id, COALESCE(unit, seed), variant_id ORDER BY MIN(time)"""
REQUESTS = """
SELECT route_id, COALESCE(unit, generation_id), variant_id, COUNT(*),
  AVG(CASE WHEN served IS NULL AND outcome <> 'cancelled_by_client' THEN 1.0 ELSE 0.0 END),
  AVG(CASE WHEN attempts > 1 THEN 1.0 ELSE 0.0 END), AVG(ttft_ms),
  AVG(CASE WHEN served IS NOT NULL THEN duration_ms END), AVG(cost_usd)
FROM requests WHERE router = ? AND experiment = ?
GROUP BY route_id, COALESCE(unit, generation_id), variant_id"""
ANSWERED = """
SELECT route_id, COALESCE(unit, generation_id), variant_id, served, model, COUNT(*) FROM requests
WHERE router = ? AND experiment = ? AND served IS NOT NULL
GROUP BY route_id, COALESCE(unit, generation_id), variant_id, served, model"""
OF_REQUESTS = """
SELECT r.route_id, COALESCE(r.unit, r.generation_id), o.metric, o.value, o.time FROM outcomes o
JOIN requests r ON r.generation_id = o.request_id OR r.request_id = o.request_id
WHERE r.router = ? AND r.experiment = ?"""
OF_UNITS = "SELECT unit, metric, value, time FROM outcomes WHERE unit IS NOT NULL AND request_id IS NULL"
VERSIONS = (
    "SELECT experiment, COUNT(*), MAX(time) FROM exposures WHERE router = ? GROUP BY experiment ORDER BY MAX(time)"
)

Shares = Callable[[str, float], Mapping[str, float]]  # route, Unix time -> the share of each variant
Key = tuple[str, str]  # route, unit


@dataclass(frozen=True, slots=True)
class Side:
    """A variant in one metric: how many units have a value, and their mean. Compared with control unless it is that."""

    units: int
    mean: float
    against: Comparison | None = None


@dataclass(slots=True)
class RouteReport:
    """What one route's variants show. `figures`: metric -> variant -> side; empty where the shares are wrong."""

    route: str
    control: str
    units: dict[str, int] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)  # requests that another than the variant's model answered
    figures: dict[str, dict[str, Side]] = field(default_factory=dict)
    srm_p: float | None = None

    @property
    def mismatch(self) -> bool:
        """Whether units came in other shares than configured."""
        return self.srm_p is not None and self.srm_p < MISMATCH_P


def versions(reader: Reader, router: str) -> dict[str, int]:
    """Exposures of each version of a router, the latest last."""
    return {str(version): int(count) for version, count, _ in reader.rows(VERSIONS, (router,))}


def report(
    reader: Reader,
    router: str,
    version: str,
    *,
    shares: Shares,
    controls: Mapping[str, str],
    models: Mapping[Key, str],
    alpha: float = 0.05,
) -> list[RouteReport]:
    """One report for each route that draws. Raises StoreError.

    `controls` has the control of each such route, `models` the target of each (route, variant) that names one.
    """
    reports = {route: RouteReport(route, control) for route, control in controls.items()}
    drawn: dict[Key, tuple[str, float]] = {}
    for route, who, variant, time in reader.rows(UNITS, (router, version)):
        if route in reports and (route, who) not in drawn:
            drawn[route, who] = (variant, time)
            one = reports[route]
            one.units[variant] = one.units.get(variant, 0) + 1
            for name, share in shares(route, time).items():
                one.expected[name] = one.expected.get(name, 0.0) + share
    values = _values(reader, router, version, drawn, reports)
    for route, who, variant, served, model, count in reader.rows(ANSWERED, (router, version)):
        if _assigned(drawn, route, who) == variant and served != models.get((route, variant), model):
            elsewhere = reports[route].elsewhere
            elsewhere[variant] = elsewhere.get(variant, 0) + count
    for one in reports.values():
        one.srm_p = chi_square_pvalue(one.units, one.expected)
        if not one.mismatch:
            _compare(one, {metric: found for (route, metric), found in values.items() if route == one.route}, alpha)
    return list(reports.values())


def _values(
    reader: Reader, router: str, version: str, drawn: Mapping[Key, tuple[str, float]], reports: dict[str, RouteReport]
) -> dict[Key, dict[str, Moments]]:
    """Of each (route, metric): the moments of each variant."""
    told: dict[tuple[Key, str], list[float]] = {}  # sum and number of one unit in one metric
    for route, who, variant, count, *averages in reader.rows(REQUESTS, (router, version)):
        if _assigned(drawn, route, who) != variant:
            continue
        one = reports[route]
        one.requests[variant] = one.requests.get(variant, 0) + count
        for metric, value in zip(BUILT_IN, averages, strict=True):
            if value is not None:
                told[(route, who), metric] = [float(value), 1.0]
    for route, who, metric, value, time in _outcomes(reader, router, version, drawn):
        found = drawn.get((route, who))
        if found is not None and time >= found[1]:
            sums = told.setdefault(((route, who), metric), [0.0, 0.0])
            sums[0] += value
            sums[1] += 1
    moments: dict[Key, dict[str, Moments]] = {}
    for (key, metric), (total, number) in told.items():
        of_variant = moments.setdefault((key[0], metric), {}).setdefault(drawn[key][0], Moments())
        of_variant.add(total / number)
    return moments


def _assigned(drawn: Mapping[Key, tuple[str, float]], route: str, who: str) -> str | None:
    found = drawn.get((route, who))
    return None if found is None else found[0]


def _outcomes(
    reader: Reader, router: str, version: str, drawn: Mapping[Key, object]
) -> list[tuple[str, str, str, float, float]]:
    """(route, unit, metric, value, time) of everything that was reported back."""
    found = [tuple(row) for row in reader.rows(OF_REQUESTS, (router, version))]
    routes: dict[str, list[str]] = {}
    for route, who in drawn:
        routes.setdefault(who, []).append(route)
    for unit, metric, value, time in reader.rows(OF_UNITS):
        found += [(route, unit, metric, value, time) for route in routes.get(unit, ())]
    return found


def _compare(one: RouteReport, values: Mapping[str, Mapping[str, Moments]], alpha: float) -> None:
    for metric in sorted(values, key=lambda name: (name not in BUILT_IN, name)):
        sides = values[metric]
        control = sides.get(one.control, Moments())
        one.figures[metric] = {
            variant: Side(
                found.count,
                found.mean,
                None if variant == one.control else compare(control, found, alpha=alpha),
            )
            for variant, found in sorted(sides.items())
        }
