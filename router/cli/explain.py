"""`explain`: one decision, offline, as a table: conditions, bucket, variant, plan."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from policies import Decision, RoutingRefusal
from router.assembly import build_guesses
from router.config import ConfigError, load
from router.config.check import facts_of
from router.config.table import build_table

from .show import complain, console, fail, pairs


@dataclass(frozen=True, slots=True)
class Question:
    """What to decide."""

    model: str
    user: str | None = None
    metadata: tuple[str, ...] = ()
    message: str | None = None
    config: Path | None = None


def run(question: Question, *, as_json: bool = False) -> int:
    """Print the decision; 1 when it is refused."""
    given: dict[str, Any] = {"user": question.user}
    if question.message is not None:
        given["messages"] = ({"role": "user", "content": question.message},)
    try:
        given["metadata"] = pairs(question.metadata)
        table = build_table(load(question.config, os.environ))
        facts, guesses = facts_of(question.model, given), build_guesses(table)
        decision = table.decide(guesses.informed(facts)[0] if guesses else facts)
    except ConfigError as error:
        return complain(error)
    except (ValueError, RoutingRefusal) as error:
        return fail(str(error))
    if as_json:
        print(json.dumps(document_of(decision), indent=2, ensure_ascii=False))
    else:
        show(decision)
    return 0


def document_of(decision: Decision) -> dict[str, Any]:
    """The decision and its plan, in the words of POST /v1/router/explain."""
    names = ("router", "route_id", "variant_id", "model", "sticky", "unit", "bucket", "propensity", "experiment")
    said: dict[str, Any] = {name: getattr(decision, name) for name in names} | {"reason": str(decision.reason)}
    said["conditions"] = [
        {"route_id": one.route_id, "expression": one.expression, "matched": one.matched, "error": one.error}
        for one in decision.conditions
    ]
    plan = [
        {"model": one.target.name, "provider": one.target.provider, "skipped": one.skipped}
        for one in decision.plan.candidates
    ]
    return {"decision": said, "plan": plan, "warnings": list(decision.warnings)}


def show(decision: Decision) -> None:
    """The same for people."""
    out = console()
    if decision.conditions:
        table = Table("route", "condition", "matched", title="Conditions, in order", title_justify="left")
        for one in decision.conditions:
            matched = "[green]yes[/]" if one.matched else f"no{f' ({one.error})' if one.error else ''}"
            table.add_row(one.route_id, one.expression, matched)
        out.print(table)
    said = document_of(decision)["decision"]
    facts = Table(show_header=False, title="Decision", title_justify="left")
    for name, value in said.items():
        if name != "conditions" and value is not None:
            facts.add_row(name, str(value))
    out.print(facts)
    plan = Table("", "target", "price in/out per M", "skipped", title="Plan", title_justify="left")
    for number, candidate in enumerate(decision.plan.candidates, 1):
        prices = candidate.target.prices
        price = f"${prices.input_usd * 1e6:.2f} / ${prices.output_usd * 1e6:.2f}" if prices else "-"
        plan.add_row(str(number), candidate.target.name, price, candidate.skipped or "")
    out.print(plan)
    for warning in decision.warnings:
        out.print(f"warning: {warning}", style="yellow", markup=False)
