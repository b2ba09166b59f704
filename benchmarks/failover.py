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
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from router.upstreams.scripted import CANONICAL, ScriptedServer

from .failover_gateways import HEALTHY, Gateway, litellm, names, ours, portkey
from .peers import ROOT
from .processes import end_process
from .scenarios import SCENARIOS, Case, Scenario, Told, verdict

REQUESTS, EVERY_S, OUTAGE_S = 20, 4.0, 60.0
HANG_S = 110.0
MESSAGES = [{"role": "user", "content": "Say the sixty words."}]


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
            end_process(process)
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


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]


async def run(*, quick: bool, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every gateway that is there."""
    scale = 0.1 if quick else 1.0
    everybody = [ours("resilient", quick=quick), ours("interactive", quick=quick)]
    if not quick:
        everybody += [litellm(), portkey()]
    chosen = [one for one in everybody if one.present() and (not only or one.name in only)]
    async with ScriptedServer(gap_s=0.015, time_scale=1.0 if not quick else 0.1) as server:
        warm = asyncio.Barrier(len(chosen))
        ports = _free_ports(len(chosen))
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
