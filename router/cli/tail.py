"""`tail`: follow the requests of a running router, one line each, with what was decided and every attempt."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from rich.console import Console
from rich.text import Text

from .show import console, fail, refusal

POLL_S = 0.5
MOST = 200  # asked for at a time
COLOURS = {2: "green", 4: "yellow", 5: "red"}


@dataclass(frozen=True, slots=True)
class Watch:
    """What to follow. `last`: how many past requests to begin with; `follow`: go on until interrupted."""

    url: str
    key: str = ""
    last: int = 10
    as_json: bool = False
    follow: bool = True


def run(watch: Watch, *, out: Console | None = None, pause: Callable[[float], None] = time.sleep) -> int:
    """Print until interrupted; the exit code."""
    out = out or console()
    headers = {"authorization": f"Bearer {watch.key}"} if watch.key else {}
    seen: dict[str, None] = {}
    begun = False
    with httpx.Client(base_url=watch.url.rstrip("/"), headers=headers, timeout=10, trust_env=False) as client:
        while True:
            try:
                found = _recent(client, MOST)
            except KeyboardInterrupt:
                return 0
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                return fail(f"{watch.url} does not answer: {error}")
            except ValueError as error:
                return fail(f"{watch.url}: {error}")
            fresh = [one for one in reversed(found) if name_of(one) not in seen]
            if begun and len(fresh) == MOST and not watch.as_json:
                out.print("… more than can be followed; some are left out", style="dim")
            shown = fresh if begun else fresh[len(fresh) - min(watch.last, len(fresh)) :]
            _show(shown, out, as_json=watch.as_json)
            seen = dict.fromkeys([*seen, *map(name_of, fresh)][-4 * MOST :])
            begun = True
            if not watch.follow:
                return 0
            try:
                pause(POLL_S)
            except KeyboardInterrupt:
                return 0


def _recent(client: httpx.Client, limit: int) -> list[Mapping[str, Any]]:
    answer = client.get("/v1/router/requests", params={"limit": limit})
    if answer.status_code != 200:
        raise ValueError(refusal(answer.status_code, answer.text))
    match answer.json():
        case {"data": list(found)}:
            return found
    raise ValueError("this is no router: GET /v1/router/requests gave no list")


def name_of(request: Mapping[str, Any]) -> str:
    """What tells requests apart: a client may send the same request id twice."""
    return str((request.get("metadata") or {}).get("generation_id") or request.get("id"))


def _show(requests: Iterable[Mapping[str, Any]], out: Console, *, as_json: bool) -> None:
    for request in requests:
        if as_json:
            out.print(orjson.dumps(request).decode(), markup=False, highlight=False)
        else:
            out.print(line_of(request))


def line_of(request: Mapping[str, Any]) -> Text:
    """Time, status, kind, decision, attempts, times, tokens and cost."""
    decision, metadata = request.get("decision") or {}, request.get("metadata") or {}
    attempts = metadata.get("attempts") or []
    status = request.get("status") or 0
    line = Text().append(str(request.get("time", ""))[11:23], "dim")
    line.append(f" {status or '---'}", COLOURS.get(status // 100, ""))
    line.append(f" {request.get('kind')}{'~' if request.get('streamed') else ' '}".ljust(8), "dim")
    if decision.get("router"):
        line.append(f" {decision['router']}/{decision.get('route_id')}", "bold")
        line.append(f" {decision.get('variant_id')}", "cyan")
    else:
        line.append(f" {decision.get('requested')}", "bold")
    line.append(f" ({decision.get('reason')})", "dim")
    for number, attempt in enumerate(attempts):
        line.append(" → " if number else "  ", "dim")
        line.append(str(attempt.get("model")), "green" if attempt.get("success") else "red")
        if not attempt.get("success"):
            line.append(f" {attempt.get('outcome')}", "red")
        line.append(f" {attempt.get('duration_ms')} ms", "dim")
    line.append(f"  {_figures(request, metadata, attempts)}")
    return line


def _figures(request: Mapping[str, Any], metadata: Mapping[str, Any], attempts: list[Mapping[str, Any]]) -> str:
    figures = []
    first_ms = attempts[-1].get("time_to_first_token_ms") if attempts else None
    if first_ms is not None and request.get("streamed"):
        figures.append(f"first {first_ms} ms")
    if metadata.get("total_duration_ms") is not None:
        figures.append(f"total {metadata['total_duration_ms']} ms")
    tokens = request.get("tokens")
    if tokens:
        figures.append(f"{tokens['input']}+{tokens['output']} tokens")
    if request.get("cost_usd"):
        figures.append(f"${request['cost_usd']:.6f}")
    return ", ".join(figures)
