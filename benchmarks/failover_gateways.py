"""The gateways that the failover list is put to: how each is started, and asked for a model with one fallback.

Each gets the same budget: up to two retries, 30 s without a token, one fallback model.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .peers import HOME
from .scenarios import SCENARIOS, Scenario

OUR_KEY, LITELLM_KEY = "failover-secret", "sk-bench-0123456789abcdef0123456789"
OURS = """
version: 1
auth: {{keys: [{{id: bench, secret: {key}, routers: ["*"], write: false}}]}}
providers: {{mock: {{kind: openai, base_url: "http://127.0.0.1:{upstream}/v1", api_key: x, allow_private: true}}}}
defaults: {{{defaults}}}
routers: []
records: {{url: "memory://"}}
"""
SLOW = {"interactive": "profile: interactive", "resilient": "profile: resilient"}
RESTS = {  # (rest, failures in a row that begin it): the second is part of the documented settings
    "interactive": (30.0, 5),
    "resilient": (15.5, 2),
}
FAST = ", timeouts: {connect_s: 0.5, first_token_s: 1, idle_s: 1, answer_s: 5}"

HEALTHY = Scenario("S00", "a healthy call", "ok", lambda _case: True)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway under test: how it is started, and how it is asked for a model with one fallback."""

    name: str
    command: Callable[[Path, int, int], list[str]]
    body: Callable[[Scenario, int], tuple[dict[str, Any], dict[str, str]]]
    present: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)


def names(scenario: Scenario, gateway: str) -> tuple[str, str]:
    """The two models of a scenario, distinct for each gateway so that the provider's log can be told apart."""
    mark = scenario.id.lower()
    return f"{scenario.primary}@{gateway}-{mark}", f"{scenario.fallback}@{gateway}-{mark}f"


def ours(profile: str, *, quick: bool) -> Gateway:
    """This router in one of its profiles."""

    def command(folder: Path, port: int, upstream: int) -> list[str]:
        rest_s, failures = RESTS[profile]
        rest_s *= 0.1 if quick else 1.0
        rest = f", cooldown: {{consecutive_failures: {failures}, base_s: {rest_s}, max_s: {rest_s}}}"
        defaults = SLOW[profile] + rest + (FAST if quick else "")
        (folder / "server.yaml").write_text(OURS.format(key=OUR_KEY, upstream=upstream, defaults=defaults))
        return [sys.executable, "-m", "realtime", "serve", "--config", str(folder / "server.yaml"), "--port", str(port)]

    def body(scenario: Scenario, _upstream: int) -> tuple[dict[str, Any], dict[str, str]]:
        primary, fallback = names(scenario, f"ours-{profile}")
        return {"model": f"mock/{primary}", "models": [f"mock/{fallback}"]}, {"authorization": f"Bearer {OUR_KEY}"}

    return Gateway(f"ours-{profile}", command, body)


def litellm() -> Gateway:
    """LiteLLM's proxy: one fallback, two retries."""

    def command(folder: Path, port: int, upstream: int) -> list[str]:
        base = f"http://127.0.0.1:{upstream}/v1"
        models = [
            {"model_name": alias, "litellm_params": {"model": f"openai/{model}", "api_base": base, "api_key": "x"}}
            for scenario in (HEALTHY, *SCENARIOS)
            for alias, model in zip(_aliases(scenario), names(scenario, "litellm"), strict=True)
        ]
        router = {
            "num_retries": 2,
            "timeout": 30,
            "stream_timeout": 30,
            "fallbacks": [{main: [spare]} for main, spare in map(_aliases, SCENARIOS)],
        }
        settings = {"model_list": models, "router_settings": router, "general_settings": {"master_key": LITELLM_KEY}}
        (folder / "litellm.yaml").write_text(json.dumps(settings))
        program = str(HOME / "ll/bin/litellm")
        return [program, "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]

    def body(scenario: Scenario, _upstream: int) -> tuple[dict[str, Any], dict[str, str]]:
        return {"model": _aliases(scenario)[0]}, {"authorization": f"Bearer {LITELLM_KEY}"}

    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return Gateway("litellm", command, body, (HOME / "ll/bin/litellm").exists, environment)


def _aliases(scenario: Scenario) -> tuple[str, str]:
    return scenario.id.lower(), f"{scenario.id.lower()}f"


def portkey() -> Gateway:
    """Portkey's open gateway: strategy fallback, two retries a target; targets come in a header."""
    program = HOME / "pk/node_modules/@portkey-ai/gateway/build/start-server.js"

    def command(_folder: Path, port: int, _upstream: int) -> list[str]:
        return ["node", str(program), f"--port={port}", "--headless"]

    def body(scenario: Scenario, upstream: int) -> tuple[dict[str, Any], dict[str, str]]:
        targets = [
            {
                "provider": "openai",
                "api_key": "x",
                "custom_host": f"http://127.0.0.1:{upstream}/v1",
                "override_params": {"model": model},
                "retry": {"attempts": 2},
                "request_timeout": 30_000,
            }
            for model in names(scenario, "portkey")
        ]
        config = {"strategy": {"mode": "fallback"}, "targets": targets}
        return {"model": "any"}, {"x-portkey-config": json.dumps(config), "authorization": "Bearer x"}

    return Gateway("portkey", command, body, program.exists)
