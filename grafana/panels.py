"""Panels of a board as small values, and the JSON that Grafana (11 and later) reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["timeseries", "stat", "bargauge", "table"]
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
REFERENCES = "ABCDEFGH"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression; `exemplars` asks for the traces behind a histogram."""

    expr: str
    legend: str = "__auto"
    exemplars: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """A question, answered by its queries. `about` stands behind the title's (i)."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: Kind = "timeseries"
    width: int = 8
    red_from: float | None = None
    red_below: float | None = None
    mappings: Mapping[str, str] | None = None  # value -> text
    stacked: bool = False
    whole: bool = False  # a count: Prometheus' extrapolation gives it a fraction
    band: bool = False  # the second query is the lower, the third the upper edge around the first


@dataclass(frozen=True, slots=True)
class Variable:
    """A choice at the top of the board: the values of a label."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard: rows of panels."""

    uid: str
    title: str
    about: str
    variables: tuple[Variable, ...]
    rows: Mapping[str, Sequence[Panel]]

    def document(self) -> dict[str, Any]:
        """The dashboard's JSON."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["realtime-router"],
            "schemaVersion": 39,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "refresh": "10s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "templating": {"list": [_datasource(), *(_choice(variable) for variable in self.variables)]},
            "annotations": {"list": []},
            "links": [
                {"type": "dashboards", "tags": ["realtime-router"], "title": "Realtime Router", "asDropdown": True}
            ],
            "panels": self._panels(),
        }

    def _panels(self) -> list[dict[str, Any]]:
        placed: list[dict[str, Any]] = []
        top = 0
        for title, panels in self.rows.items():
            placed.append(_place({"type": "row", "title": title, "collapsed": False, "panels": []}, top, 0, WIDTH, 1))
            top, left = top + 1, 0
            for panel in panels:
                if left + panel.width > WIDTH:
                    top, left = top + 8, 0
                placed.append(_place(_panel(panel), top, left, panel.width, 8))
                left += panel.width
            top += 8
        return [{"id": number, **panel} for number, panel in enumerate(placed, 1)]


def _place(panel: dict[str, Any], top: int, left: int, width: int, height: int) -> dict[str, Any]:
    return {**panel, "gridPos": {"x": left, "y": top, "w": width, "h": height}}


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}


def _choice(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    instant = panel.kind in ("table", "bargauge")
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "targets": [_target(query, letter, instant) for query, letter in zip(panel.queries, REFERENCES, strict=False)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": _band() if panel.band else []},
        "options": _options(panel),
    }


def _target(query: Query, letter: str, instant: bool) -> dict[str, Any]:  # noqa: FBT001  private, named at the call
    return {
        "refId": letter,
        "datasource": SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "exemplar": query.exemplars,
        "instant": instant,
        "range": not instant,
        "format": "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green" if panel.red_below is None else "red", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    if panel.red_below is not None:
        steps.append({"color": "green", "value": panel.red_below})
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.whole:
        defaults["decimals"] = 0
    if panel.mappings:
        texts = {value: {"text": text, "index": n} for n, (value, text) in enumerate(panel.mappings.items())}
        defaults["mappings"] = [{"type": "value", "options": texts}]
    if panel.kind == "timeseries":
        stacking = {"mode": "normal", "group": "A"} if panel.stacked else {"mode": "none"}
        limits = {"mode": "line" if panel.red_from is not None else "off"}
        defaults["custom"] = {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 25 if panel.stacked else 8, "showPoints": "never",
            "spanNulls": True, "stacking": stacking, "thresholdsStyle": limits,
        }  # fmt: skip
    return defaults


def _band() -> list[dict[str, Any]]:
    """Edges of an interval: thin and dashed, so that the estimate stands out."""
    thin = [
        {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [4, 4]}},
        {"id": "custom.fillOpacity", "value": 0},
    ]
    return [{"matcher": {"id": "byFrameRefID", "options": letter}, "properties": thin} for letter in "BC"]


def _options(panel: Panel) -> dict[str, Any]:
    reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.kind:
        case "timeseries":
            legend = {"displayMode": "list", "placement": "bottom", "showLegend": True}
            return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
        case "stat":
            named = any(
                "{{" in query.legend for query in panel.queries
            )  # else a single series is shown without its name
            text = "value_and_name" if named else "auto"
            return {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "textMode": text}
        case "bargauge":
            return {"reduceOptions": reduce, "orientation": "horizontal", "displayMode": "basic"}
        case "table":
            return {"showHeader": True}
