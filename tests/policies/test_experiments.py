"""The shipped router files load, mean what their golden cases say, and the demo needs no key."""

import json
from pathlib import Path

import pytest

from policies import Facts, RoutingTable, Target, Targets
from router.config.load import load_router
from router.config.models import Defaults
from router.config.policy import policy_of

FOLDER = Path(__file__).parents[2] / "policies" / "experiments"
FILES = sorted(FOLDER.glob("*.yaml"))


def table(path):
    policy = policy_of(load_router(path, {}), Defaults())
    return policy, RoutingTable(Targets(["demo"], [Target("demo", "fast"), Target("demo", "smart")]), [policy])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_golden_case_holds(path):
    policy, made = table(path)
    cases = json.loads(path.with_name(f"{path.stem}.cases.json").read_text(encoding="utf-8"))
    assert cases
    for case in cases:
        given = case["given"]
        facts = Facts(f"router/{policy.name}", user=given.get("user"), metadata=given.get("metadata", {}))
        decision = made.decide(facts)
        assert {"route": decision.route_id, "variant": decision.variant_id} == case["expect"], given


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_shipped_router_answers_without_a_key(path):
    policy, made = table(path)
    decision = made.decide(Facts(f"router/{policy.name}", user="u1"))
    assert decision.model.startswith("demo/")
    assert policy.warnings() == ()


def test_the_demo_shows_a_fallback_and_both_halves_of_its_split():
    policy, made = table(FOLDER / "demo.yaml")
    assert made.warnings() == ()
    chaos = made.decide(Facts("router/demo", metadata={"tier": "chaos"}))
    assert [candidate.target.name for candidate in chaos.plan.candidates] == ["demo/down", "demo/fast", "demo/smart"]
    premium = [made.decide(Facts("router/demo", user=f"u{n}", metadata={"tier": "vip"})).variant_id for n in range(40)]
    assert set(premium) == {"control", "treatment"}
    assert policy.references() == {"tier", "language"}
