"""The public class: built from files or the environment, explained, swapped whole, walked for other calls."""

import asyncio
import re
import sys

import pytest

from policies import Facts, Outcome, RoutingOptions, RoutingTable, Targets
from router import Caller, Refusal, Router, Silent, State
from router.assembly import build_state, state_from
from router.config import ConfigError, load
from router.upstreams.base import UpstreamFault
from router.upstreams.scripted import CANONICAL, ScriptedUpstream

from .house import MESSAGES, House

SERVER = """\
version: 1
providers:
  scripted: {kind: scripted}
  mine: {kind: openai, base_url: "http://127.0.0.1:9/v1", allow_private: true}
defaults: {cooldown: {consecutive_failures: 2}}
routers: [support.yaml]
"""
SUPPORT = """\
router: support
routes:
  - id: vip
    when: tier == "vip"
    variants:
      - {id: a, weight: 50, model: scripted/500, fallbacks: [scripted/ok]}
      - {id: b, weight: 50, model: scripted/502, fallbacks: [scripted/ok]}
default: {id: default, variants: [{id: only, weight: 100, model: scripted/ok}]}
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "support.yaml").write_text(SUPPORT)
    path = tmp_path / "server.yaml"
    path.write_text(SERVER)
    return path


def ask(**fields):
    return {"model": "router/support", "messages": MESSAGES, **fields}


async def test_a_router_file_decides_and_the_record_says_so(server):
    router = Router.from_file(server)
    completion = await router.complete(ask(user="u1", metadata={"tier": "vip"}))
    metadata = completion.document["metadata"]
    assert (metadata["router"], metadata["route_id"], metadata["sticky"]) == ("support", "vip", True)
    assert metadata["variant_id"] in ("a", "b")
    assert [attempt["success"] for attempt in metadata["attempts"]] == [False, True]
    assert (
        metadata["attempts"][0]["error"]["message"] == "scripted fault: status " + metadata["attempts"][0]["model"][-3:]
    )
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", metadata["generation_id"]
    )
    assert completion.document["model"] == "scripted/ok"
    await router.aclose()


async def test_a_decision_is_sticky_and_explained_without_a_call(server):
    router = Router.from_file(server)
    body = ask(user="u1", metadata={"tier": "vip"})
    explained = router.explain(body)
    assert explained == router.explain(body)
    assert explained["decision"]["variant_id"] == router.decide(body).variant_id
    assert explained["decision"]["conditions"][0]["matched"]
    assert [step["skipped"] for step in explained["plan"]] == [None, None]
    assert router.state.upstreams["scripted"].journal.seen == []
    await router.aclose()


async def test_a_voice_session_decides_by_its_own_facts(server):
    router = Router.from_file(server)
    caller = Caller(protocol="realtime", request_id="r1")
    completion = await router.complete(ask(), caller)
    assert completion.document["metadata"]["attempts"][0]["stage"] == "llm"
    assert completion.record.request_id == "r1"
    await router.aclose()


async def test_an_exposure_is_told_once_and_only_for_routers(server):
    seen = []

    class Ear(Silent):
        def on_exposure(self, decision, facts):
            seen.append((decision.variant_id, facts.user))

    router = Router.from_file(server, observers=[Ear()])
    await router.complete(ask(user="u1", metadata={"tier": "vip"}))
    await router.complete({"model": "scripted/ok", "messages": MESSAGES})
    assert len(seen) == 1
    await router.aclose()


def test_the_environment_alone_makes_a_router(monkeypatch):
    monkeypatch.delenv("RR_CONFIG", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    router = Router.from_environment()
    assert {"demo", "openai"} <= set(router.state.upstreams)
    assert router.explain({"model": "openai/gpt-5"})["plan"][0]["provider"] == "openai"


def test_a_provider_that_cannot_be_built_is_named(server):
    server.write_text(SERVER.replace('"http://127.0.0.1:9/v1"', '"http://127.0.0.1:99999/v1"'))
    with pytest.raises(ConfigError, match=r"providers\.mine"):
        state_from(server, {})
    server.write_text(SERVER.replace('base_url: "http://127.0.0.1:9/v1", ', ""))
    with pytest.raises(ConfigError, match="base_url is needed"):
        state_from(server, {})


def test_a_reload_keeps_the_upstreams_whose_settings_stayed(server):
    before = state_from(server, {})
    server.write_text(SERVER.replace("127.0.0.1:9/", "127.0.0.1:10/"))
    after = build_state(load(server, {}), before)
    assert after.upstreams["scripted"] is before.upstreams["scripted"]
    assert after.upstreams["mine"] is not before.upstreams["mine"]
    assert after.cooldown.consecutive_failures == 2


async def test_requests_in_flight_keep_the_state_they_began_with():
    house = House(gap_s=0.02)
    stream = await house.stream("ok")
    other = ScriptedUpstream()
    house.router.replace(State(RoutingTable(Targets(("other",))), {"other": other}))
    text = "".join([c["choices"][0]["delta"].get("content") or "" async for c in stream.chunks()])
    assert text == CANONICAL
    completion = await house.router.complete({"model": "other/ok", "messages": MESSAGES})
    assert completion.record.attempts[0].target.name == "other/ok"


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("nobody/x", 404, "model_not_found"),
        ("router/none", 404, "router_not_found"),
        ("nothing", 404, "model_not_found"),
    ],
)
async def test_what_cannot_be_routed_is_refused_clearly(model, status, code):
    with pytest.raises(Refusal) as refused:
        await House().router.complete({"model": model, "messages": MESSAGES})
    assert (refused.value.status, refused.value.code) == (status, code)
    assert set(refused.value.document()["error"]) == {"message", "type", "param", "code"}


async def test_a_call_of_another_kind_walks_the_same_plan():
    house = House()
    called = []

    async def transcribe(step):
        called.append(step.target.model)
        if step.target.model == "500":
            raise UpstreamFault(Outcome.HTTP_5XX, "no")
        return "hello"

    facts = Facts(model="scripted/500", options=RoutingOptions(models=("scripted/ok",)))
    text, record = await house.router.run(facts, transcribe, kind="stt")
    assert text == "hello"
    assert called == ["500", "ok"]
    assert [attempt.stage for attempt in record.attempts] == ["stt", "stt"]
    assert (record.status, record.kind) == (200, "stt")


async def test_a_call_of_another_kind_that_fails_everywhere_is_a_refusal_with_its_record():
    async def speak(step):
        raise UpstreamFault(Outcome.CONNECT_REFUSED, "nobody there")

    with pytest.raises(Refusal) as refused:
        await House().router.run(Facts(model="scripted/a"), speak, kind="tts")
    assert (refused.value.status, refused.value.code) == (502, "upstream_unreachable")
    assert refused.value.record.outcome is Outcome.CONNECT_REFUSED


async def test_our_own_defect_is_nobodys_fault_but_leaves_nothing_open():
    async def broken(step):
        raise ZeroDivisionError

    house = House()
    with pytest.raises(ZeroDivisionError):
        await house.router.run(Facts(model="scripted/a"), broken, kind="tts")
    assert house.router.health.in_flight() == {"scripted/a": 0}
    assert len(house.router._around.budgets) == 0


async def test_a_hundred_requests_at_once_leave_nothing_in_flight():
    house = House()
    models = ["ok", "500", "cut-20", "error-20", "empty", "auth", "reset", "html"]

    async def one(n):
        try:
            await (house.complete if n % 2 else house.heard)(models[n % len(models)], "ok")
        except Refusal:
            return "refused"
        return "answered"

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(n)) for n in range(100)]
    assert {task.result() for task in tasks} == {"answered"}
    assert set(house.router.health.in_flight().values()) == {0}
    assert len(house.router._around.budgets) == 0


def test_a_provider_that_speaks_no_openai_costs_no_import_until_it_is_called(server):
    server.write_text(
        SERVER.replace("kind: scripted", "kind: litellm, api_key: x", 1).replace("scripted:", "anthropic:")
    )
    (server.parent / "support.yaml").write_text(SUPPORT.replace("scripted/", "anthropic/"))
    before = "litellm" in sys.modules
    state = state_from(server, {})
    assert "anthropic" in state.upstreams
    assert ("litellm" in sys.modules) is before
