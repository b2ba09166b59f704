"""The made files are current, whole and true to the table of metrics; promtool agrees with the rules."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from grafana.boards import BOARDS
from grafana.build import files
from grafana.rules import ALERTS, RECORDED
from router.metrics import TABLE
from tests.grafana.stand import GRAFANA, ROOT

KNOWN = {row.name: row for row in TABLE}
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "up"}
NAME = re.compile(r"\b(?:rr|process)_\w+|\bup\b")
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="the Debian package 'prometheus' is not installed")


def board_queries():
    return [
        (f"{name}: {panel.title}", query)
        for name, board in BOARDS.items()
        for panels in board.rows.values()
        for panel in panels
        for query in panel.queries
    ]


def expressions():
    """Where it stands -> the expression."""
    every = {f"{place} {query.legend}": query.expr for place, query in board_queries()}
    return every | dict(RECORDED) | {alert.name: alert.value for alert in ALERTS}


def family(name):
    """The metric behind a series' name."""
    for suffix in ("_bucket", "_sum", "_count"):
        row = KNOWN.get(name.removesuffix(suffix))
        if name.endswith(suffix) and row is not None and row.kind == "histogram":
            return row.name
    return name


def metrics_of(expr):
    quoteless = re.sub(r'"[^"]*"', "", expr)
    return {family(name) for name in NAME.findall(quoteless)}


@pytest.mark.parametrize(("path", "text"), files().items(), ids=lambda value: getattr(value, "name", ""))
def test_made_files_are_current(path, text):
    assert path.read_text(encoding="utf-8") == text, "run: python -m grafana.build"


def test_every_query_uses_metrics_that_exist():
    for place, expr in expressions().items():
        asked = metrics_of(expr)
        assert asked <= KNOWN.keys() | PROCESS, (place, asked)
        assert asked or "rr:" in expr, place
        assert set(re.findall(r"rr:[\w:]+", expr)) <= RECORDED.keys(), place


def test_every_metric_is_on_a_board_or_in_a_rule():
    shown = set().union(*(metrics_of(expr) for expr in expressions().values()))
    assert KNOWN.keys() - shown == set()


def test_labels_in_selectors_and_legends_exist():
    for place, query in board_queries():
        labels = {label for name in metrics_of(query.expr) if name in KNOWN for label in KNOWN[name].labels}
        labels |= {"le", "instance", "experiment", "variant"}
        asked = set(re.findall(r"\{\{(\w+)\}\}", query.legend)) | set(
            re.findall(r'(\w+)\s*(?:=~|!~|!=|=)"', query.expr)
        )
        assert asked <= labels, (place, asked - labels)


@pytest.mark.parametrize("name", BOARDS)
def test_boards_are_laid_out_without_overlap_and_say_what_they_show(name):
    document = json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text())
    taken = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])
            variables = set(re.findall(r"\$(\w+)", json.dumps(panel["targets"]))) - {"__rate_interval", "__range"}
            assert variables <= {variable["name"] for variable in document["templating"]["list"]}
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


def test_boards_have_their_own_names():
    assert len({board.uid for board in BOARDS.values()}) == len({board.title for board in BOARDS.values()}) == 3


def test_provisioning_finds_boards_source_and_traces():
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    [link] = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert link["name"] == "trace_id"
    assert by_uid[link["datasourceUid"]]["type"] == "jaeger"
    [provider] = yaml.safe_load((GRAFANA / "provisioning/dashboards/realtime-router.yaml").read_text())["providers"]
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    mounted = [volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]]
    assert provider["options"]["path"] in mounted


def test_every_alert_has_its_page():
    page = (ROOT / "docs/operations.md").read_text()
    for alert in ALERTS:
        assert f"### {alert.name}\n" in page, alert.name


@needs_promtool
@pytest.mark.parametrize("what", ["rules", "config"])
def test_promtool_has_nothing_to_say(what):
    paths = sorted(map(str, (GRAFANA / "rules").glob("*.yaml"))) if what == "rules" else [GRAFANA / "prometheus.yaml"]
    checked = subprocess.run([PROMTOOL, "check", what, *paths], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "SUCCESS" in checked.stdout


@needs_promtool
def test_alerts_fire_when_they_should_and_only_then(tmp_path):
    text = (ROOT / "tests/grafana/rules_test.yaml").read_text()
    (tmp_path / "rules_test.yaml").write_text(text.replace("RULES", str(GRAFANA / "rules")))
    tested = subprocess.run(
        [PROMTOOL, "test", "rules", "rules_test.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_shown_to_fire():
    tests = yaml.safe_load((ROOT / "tests/grafana/rules_test.yaml").read_text())["tests"]
    fired = {case["alertname"] for one in tests for case in one.get("alert_rule_test", ()) if case.get("exp_alerts")}
    assert fired == {alert.name for alert in ALERTS}
