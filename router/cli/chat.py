"""`chat`: talk to a running router from a terminal or a pipe; the answer on stdout, decision and attempts on stderr."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from .show import console, fail, pairs


@dataclass(frozen=True, slots=True)
class Talk:
    """Whom to ask, and as whom."""

    model: str
    url: str
    key: str = ""
    user: str | None = None
    metadata: tuple[str, ...] = ()


def run(talk: Talk, text: str | None) -> int:
    """One question when there is a text or a pipe; else a conversation until an empty line or end of file."""
    try:
        metadata = pairs(talk.metadata)
    except ValueError as error:
        return fail(str(error))
    if text is None and not sys.stdin.isatty():
        text = sys.stdin.read().strip()
        if not text:
            return fail("nothing to say: give a text, or pipe one in")
    history: list[dict[str, Any]] = []
    with httpx.Client(timeout=httpx.Timeout(600, connect=5), trust_env=False) as client:
        if text is not None:
            return _turn(client, talk, metadata, history, text)
        console(stderr=True).print(f"[dim]{talk.model} at {talk.url}; an empty line leaves[/]")
        while said := _ask():
            code = _turn(client, talk, metadata, history, said)
            if code:
                return code
    return 0


def _ask() -> str:
    try:
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _turn(client: httpx.Client, talk: Talk, metadata: dict[str, Any], history: list[dict[str, Any]], text: str) -> int:
    history.append({"role": "user", "content": text})
    body: dict[str, Any] = {"model": talk.model, "messages": history, "stream": True, "metadata": metadata}
    if talk.user is not None:
        body["user"] = talk.user
    headers = {"authorization": f"Bearer {talk.key}"} if talk.key else {}
    said: list[str] = []
    record: dict[str, Any] = {}
    problem: dict[str, Any] | None = None
    try:
        with client.stream("POST", f"{talk.url.rstrip('/')}/v1/chat/completions", json=body, headers=headers) as answer:
            for document in _documents(answer):
                record = document.get("metadata") or record
                problem = document.get("error") or problem
                for choice in document.get("choices", ()):
                    piece = (choice.get("delta") or choice.get("message") or {}).get("content")
                    if piece:
                        said.append(piece)
                        sys.stdout.write(piece)
                        sys.stdout.flush()
    except httpx.ConnectError:
        return fail(f"nothing answers at {talk.url}; start it with: realtime-router serve")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return fail(f"{talk.url}: {error}")
    if said:
        sys.stdout.write("\n")
        history.append({"role": "assistant", "content": "".join(said)})
    show_record(record, console(stderr=True))
    return fail(str(problem.get("message", problem))) if problem else 0


def _documents(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    if not answer.headers.get("content-type", "").startswith("text/event-stream"):
        answer.read()
        try:
            document = answer.json()
        except ValueError:
            document = None
        refused = {"error": {"message": f"{answer.status_code} {answer.text[:200]}"}}
        yield document if isinstance(document, dict) else refused
        return
    for line in answer.iter_lines():
        if line.startswith("data:") and line[5:].strip() != "[DONE]":
            document = json.loads(line[5:])
            if isinstance(document, dict):
                yield document


def show_record(record: dict[str, Any], out: Console, *, stages: bool = False) -> None:
    """Decision in one line, attempts as a table; `stages` says what each was for (voice)."""
    if not record:
        return
    names = ("router", "route_id", "variant_id", "experiment", "sticky", "total_duration_ms")
    words = [f"{name}={record[name]}" for name in names if record.get(name) is not None]
    if words:
        out.print("  ".join(words), style="dim", markup=False)
    attempts = record.get("attempts")
    if not isinstance(attempts, list) or not attempts:
        return
    table = Table(
        "stage" if stages else "attempt",
        "model",
        "outcome",
        "status",
        "first token",
        "duration",
        box=None,
        header_style="dim",
    )
    for number, attempt in enumerate(attempts, 1):
        ok = bool(attempt.get("success"))
        table.add_row(
            str(attempt.get("stage") if stages else number),
            str(attempt.get("model")),
            str(attempt.get("outcome", "success" if ok else "failed")),
            str(attempt.get("status_code") or "-"),
            _ms(attempt.get("time_to_first_token_ms")),
            _ms(attempt.get("duration_ms")),
            style="green" if ok else "red",
        )
    out.print(table)


def _ms(value: Any) -> str:
    return f"{value:.0f} ms" if isinstance(value, int | float) else "-"
