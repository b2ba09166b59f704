"""Every query of every board and rule has data in a real Prometheus that scraped real traffic of the real router."""

import asyncio
import json
import math
import re
import shutil
import time

import httpx
import pytest

from grafana.boards import BOARDS
from grafana.rules import ALERTS, RECORDED
from tests.grafana.stand import Traffic, prometheus, router, until

BINARY = shutil.which("prometheus")
MACROS = {
    "$__rate_interval": "2m", "$__range": "5m", "$route": ".*", "$target": ".*", "$experiment": ".*",
}  # fmt: skip
PANEL_QUERIES = [
    pytest.param(query.expr, id=f"{name}-{panel.title}-{number}")
    for name, board in BOARDS.items()
    for panels in board.rows.values()
    for panel in panels
    for number, query in enumerate(panel.queries)
]
RULE_QUERIES = [pytest.param(expr, id=name) for name, expr in RECORDED.items()] + [
    pytest.param(alert.value, id=alert.name) for alert in ALERTS
]


class Watched:
    """Prometheus after the traffic."""

    def __init__(self, url, log):
        self.url = url
        self.log = log

    def ask(self, path, **params):
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=params, trust_env=False, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def values(self, expr):
        for macro, text in MACROS.items():
            expr = expr.replace(macro, text)
        assert "$" not in expr
        return [float(one["value"][1]) for one in self.ask("query", query=expr)["result"]]


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    if shutil.which("flite") is None:
        pytest.skip("the caller's voice needs the program 'flite'")
    from tests.realtime.conftest import flite_says

    return flite_says("please tell me about paris", "rms", tmp_path_factory.mktemp("voices"))


@pytest.fixture(scope="module")
def watched(tmp_path_factory, speech):
    if BINARY is None:
        pytest.skip("the Debian package 'prometheus' is not installed")
    folder = tmp_path_factory.mktemp("stand")
    with router(folder) as port, prometheus(BINARY, folder, port) as url:
        seen = Watched(url, folder / "router.log")
        traffic = Traffic(port, folder, speech)
        until(lambda: seen.values("up") == [1.0])
        for wave in (1, 2):  # a rate needs a change between two scrapes, of series that were there
            asyncio.run(both(traffic))
            turns = 'sum(rr_voice_turns_total{outcome="answered"})'
            until(lambda: seen.values(turns) >= [float(wave)])  # noqa: B023  called at once
            time.sleep(1.0)
        yield seen


async def both(traffic):
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic.wave())
        group.create_task(traffic.talk())


@pytest.mark.parametrize("expr", PANEL_QUERIES + RULE_QUERIES)
def test_a_query_has_data(watched, expr):
    assert any(not math.isnan(value) for value in watched.values(expr)), expr


def test_variables_have_choices(watched):
    for board in BOARDS.values():
        for variable in board.variables:
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable.query).groups()
            assert watched.ask(f"label/{label}/values", **{"match[]": metric}), variable


def test_rules_are_evaluated_without_error(watched):
    rules = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(ALERTS) + len(RECORDED)
    assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]


def test_exemplars_lead_to_traces_that_were_exported(watched):
    now_s = time.time()
    found = watched.ask("query_exemplars", query="rr_request_duration_seconds_bucket", start=now_s - 300, end=now_s)
    traces = {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}
    exported = watched.log.read_text()
    assert traces
    assert all(f'"trace_id": "0x{trace}"' in exported for trace in traces)


def test_the_traffic_says_what_happened(watched):
    assert watched.values('sum(rr_voice_interruptions_total{cause="barge_in"})') >= [2.0]
    assert watched.values("sum by (experiment) (rr_experiment_units)") == [40.0]
    assert watched.values('rr_config_reload_total{result="failure"}') == [2.0]
    [share] = watched.values('rr:experiment_units:share{variant="a"}')
    assert 0.2 < share < 0.8


def test_the_voice_session_is_one_trace_with_its_turn_and_its_calls(watched):
    text = watched.log.read_text()
    spans = [json.loads(found) for found in re.findall(r"^\{\n.*?^\}", text, re.DOTALL | re.MULTILINE)]
    sessions = {span["context"]["trace_id"] for span in spans if span["name"] == "realtime session"}
    names = {span["name"] for span in spans if span["context"]["trace_id"] in sessions}
    assert len(sessions) == 2
    assert {"voice turn", "voice stt_final", "chat router/talk", "chat fast", "transcription pocketsphinx"} <= names
