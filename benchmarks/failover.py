"""The failover acceptance list, put to this router and, where they are installed, to LiteLLM's proxy and Portkey.

    python -m benchmarks.failover                    ours in two profiles, and the peers under RR_BENCH_HOME or .bench
    python -m benchmarks.failover --quick            ours alone, clocks ten times as fast: what `make test` runs

Everybody gets the same faults in the same run and the same budget: up to two retries, 30 s without a token, one
fallback model. All scenarios of one gateway run at once, on model names of their own.
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from router.upstreams.scripted import CANONICAL, ScriptedServer

from .peers import HOME, ROOT
from .scenarios import SCENARIOS, Case, Scenario, Told, verdict

REQUESTS, EVERY_S, OUTAGE_S = 20, 4.0, 60.0
HANG_S = 110.0
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

Body = Callable[[str, str], tuple[Mapping[str, Any], Mapping[str, str]]]


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


MESSAGES = [{"role": "user", "content": "Say the sixty words."}]


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


async def ask(url: str, document: Mapping[str, Any], headers: Mapping[str, str]) -> Told:
    """One streamed request, heard to its end or until it hangs."""
    began_s = time.monotonic()
    told = Told(0.0)
    asked = {**document, "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
    try:
        async with (
            asyncio.timeout(HANG_S),
            httpx.AsyncClient(timeout=None, trust_env=False) as client,
            client.stream("POST", url, json=asked, headers=dict(headers)) as reply,
        ):
            if reply.status_code != 200:
                told.error = (await reply.aread()).decode("utf-8", "replace")[:300]
            else:
                async for line in reply.aiter_lines():
                    _hear(told, line)
                    if line.strip() == "data: [DONE]":
                        break
    except TimeoutError:
        told.hung = True
    except httpx.HTTPError as error:
        told.error = told.error or type(error).__name__
        told.finished = False
    told.seconds = time.monotonic() - began_s
    if told.error is None and not told.hung:
        told.finished = True  # a clean end is what a client takes for a success
    return told


def _hear(told: Told, line: str) -> None:
    if not line.startswith("data:") or line.strip() == "data: [DONE]":
        return
    try:
        chunk = json.loads(line[5:])
    except ValueError:
        return
    if chunk.get("error"):
        told.error = json.dumps(chunk["error"])[:300]
    told.model = chunk.get("model") or told.model
    told.usage = told.usage or bool((chunk.get("usage") or {}).get("completion_tokens"))
    for choice in chunk.get("choices") or ():
        told.text += (choice.get("delta") or {}).get("content") or ""


HEALTHY = Scenario("S00", "a healthy call", "ok", lambda _case: True)


async def play(gateway: Gateway, scenario: Scenario, url: str, server: ScriptedServer, scale: float) -> Case:
    """One scenario against one gateway."""
    document, headers = gateway.body(scenario, server.port)
    if scenario.id != "S15":
        case = Case(await ask(url, document, headers), (), ())
        if scenario.id in ("S09", "S10"):
            case.later = (await ask(url, *gateway.body(HEALTHY, server.port))).whole
    else:
        began = time.time()
        told = []
        for number in range(REQUESTS):
            await asyncio.sleep(max(0.0, began + number * EVERY_S * scale - time.time()))
            told.append(await ask(url, document, headers))
        case = Case(told[-1], (), (), many=told, recovered_at=began + OUTAGE_S * scale)
    primary, fallback = names(scenario, gateway.name)
    case.primary = [seen for seen in server.journal.seen if seen.model == primary]
    case.fallback = [seen for seen in server.journal.seen if seen.model == fallback]
    return case


async def ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until anything answers on the port."""
    deadline = time.monotonic() + 90
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await client.get(url, timeout=2)
                return
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no answer from {url}:\n{log.read_text()[-2000:]}")
            await asyncio.sleep(0.1)


async def contest(
    gateway: Gateway, server: ScriptedServer, port: int, scale: float, warm: asyncio.Barrier
) -> dict[str, Any]:
    """All scenarios at once against one gateway, once everybody answers; its row of the table."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "output.log"
        environment = {**os.environ, **gateway.environment, "PYTHONPATH": str(ROOT)}
        with log.open("wb") as output:
            command = gateway.command(Path(folder), port, server.port)
            process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)
        try:
            await ready(f"http://127.0.0.1:{port}/", process, log)
            url = f"http://127.0.0.1:{port}/v1/chat/completions"
            healthy = [await ask(url, *gateway.body(HEALTHY, server.port)) for _ in range(3)]
            await warm.wait()
            if not healthy[-1].whole:
                return {"not_run": f"a healthy streamed call fails: {healthy[-1].error or healthy[-1].text[:80]}"}
            cases = await asyncio.gather(*(play(gateway, one, url, server, scale) for one in _scaled(scale)))
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    rows = {
        scenario.id: {
            "verdict": verdict(scenario, case),
            "seconds": round(case.told.seconds, 2),
            "primary_calls": len(case.primary),
            "fallback_calls": len(case.fallback),
            "error": case.told.error,
        }
        for scenario, case in zip(_scaled(scale), cases, strict=True)
    }
    counts = Counter(row["verdict"] for row in rows.values())
    outage = next(case for case, one in zip(cases, _scaled(scale), strict=True) if one.id == "S15")
    back = [seen.time - outage.recovered_at for seen in outage.primary if seen.status == 200]
    return {
        "counts": {word: counts.get(word, 0) for word in ("pass", "partial", "safe", "fail")},
        "outage_primary_calls": sum(seen.status != 200 for seen in outage.primary),
        "back_after_s": round(back[0], 1) if back else None,
        "scenarios": rows,
    }


def _scaled(scale: float) -> Sequence[Scenario]:
    """The list; with quick clocks the outage is shorter, as its length stands in the model's name."""
    if scale == 1.0:
        return SCENARIOS
    from dataclasses import replace

    return [replace(one, primary=f"outage-{round(OUTAGE_S * scale)}") if one.id == "S15" else one for one in SCENARIOS]


async def run(*, quick: bool, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every gateway that is there."""
    scale = 0.1 if quick else 1.0
    everybody = [ours("resilient", quick=quick), ours("interactive", quick=quick)]
    if not quick:
        everybody += [litellm(), portkey()]
    chosen = [one for one in everybody if one.present() and (not only or one.name in only)]
    async with ScriptedServer(gap_s=0.015, time_scale=1.0 if not quick else 0.1) as server:
        warm = asyncio.Barrier(len(chosen))
        ports = [9301 + number for number in range(len(chosen))]
        rows = await asyncio.gather(
            *(contest(one, server, port, scale, warm) for one, port in zip(chosen, ports, strict=True))
        )
    return {one.name: row for one, row in zip(chosen, rows, strict=True)}


def table(results: Mapping[str, Any]) -> str:
    """The scores as Markdown."""
    lines = [
        "| gateway | pass | partial | safe | fail | calls in the outage | back after |",
        "|---|---|---|---|---|---|---|",
    ]
    played = {name: row for name, row in results.items() if "scenarios" in row}
    for name, row in played.items():
        counts = row["counts"]
        back = "–" if row["back_after_s"] is None else f"{row['back_after_s']} s"
        lines.append(
            f"| {name} | {counts['pass']} | {counts['partial']} | {counts['safe']} | {counts['fail']} | "
            f"{row['outage_primary_calls']} | {back} |"
        )
    head = "| scenario | " + " | ".join(played) + " |"
    lines += ["", head, "|---" * (len(played) + 1) + "|"]
    for scenario in SCENARIOS:
        cells = []
        for row in played.values():
            one = row["scenarios"][scenario.id]
            cells.append(f"{one['verdict']} {one['seconds']} s")
        lines.append(f"| {scenario.id} {scenario.about} | " + " | ".join(cells) + " |")
    lines += [f"\n{name}: not run, {row['not_run']}" for name, row in results.items() if "not_run" in row]
    return "\n".join(lines)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="ours alone, ten times as fast")
    parser.add_argument("--only", default="", help="comma-separated gateways")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "failover.json")
    options = parser.parse_args()
    only = [name for name in options.only.split(",") if name]
    results = asyncio.run(run(quick=options.quick, only=only))
    print(table(results))
    if not options.quick and not only:
        shown = {"words": len(CANONICAL.split()), "gateways": results}
        options.output.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
