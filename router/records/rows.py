"""Rows for analysis, and the tables they go into. The unit is stored as a hash, prompts are not stored at all."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies import Decision, Facts, unit_of
from router.cost import cost_usd, tokens_of
from router.record import Record

Row = tuple[Any, ...]

SCHEMA = """
CREATE TABLE IF NOT EXISTS exposures (
  time REAL NOT NULL, router TEXT NOT NULL, route_id TEXT, variant_id TEXT, experiment TEXT, reason TEXT NOT NULL,
  unit_key TEXT, unit TEXT, sticky INTEGER NOT NULL, bucket INTEGER, propensity REAL, seed TEXT,
  forced INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS exposures_by_router ON exposures (router, time);
CREATE INDEX IF NOT EXISTS exposures_by_unit ON exposures (unit);
CREATE TABLE IF NOT EXISTS requests (
  generation_id TEXT PRIMARY KEY, request_id TEXT, time REAL NOT NULL, kind TEXT NOT NULL, key_id TEXT,
  router TEXT, route_id TEXT, variant_id TEXT, experiment TEXT, unit TEXT, model TEXT NOT NULL, served TEXT,
  outcome TEXT, status INTEGER, attempts INTEGER NOT NULL, duration_ms REAL, ttft_ms REAL,
  input_tokens INTEGER, output_tokens INTEGER, cost_usd REAL);
CREATE INDEX IF NOT EXISTS requests_by_request ON requests (request_id);
CREATE TABLE IF NOT EXISTS attempts (
  generation_id TEXT NOT NULL, number INTEGER NOT NULL, target TEXT NOT NULL, provider TEXT NOT NULL, stage TEXT,
  outcome TEXT NOT NULL, status_code INTEGER, error_code TEXT, duration_ms REAL NOT NULL, ttft_ms REAL,
  credential_type TEXT NOT NULL, PRIMARY KEY (generation_id, number));
CREATE TABLE IF NOT EXISTS outcomes (
  time REAL NOT NULL, request_id TEXT, unit TEXT, metric TEXT NOT NULL, value REAL NOT NULL,
  idempotency_key TEXT UNIQUE);
CREATE INDEX IF NOT EXISTS outcomes_by_metric ON outcomes (metric, time);
"""
INSERTS: Mapping[str, str] = {
    "exposures": "INSERT INTO exposures VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "requests": "INSERT OR IGNORE INTO requests VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    "attempts": "INSERT OR IGNORE INTO attempts VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    "outcomes": "INSERT OR IGNORE INTO outcomes VALUES (?,?,?,?,?,?)",
}
WIDTHS: Mapping[str, int] = {table: insert.count("?") for table, insert in INSERTS.items()}  # columns


@dataclass(frozen=True, slots=True)
class Feedback:
    """A value somebody measured: of one request, or of a unit. A repeated `idempotency_key` counts once."""

    metric: str
    value: float
    request_id: str | None = None
    unit: str | None = None  # the unit itself; stored as a hash
    idempotency_key: str | None = None


def hashed_unit(value: object) -> str:
    """The name under which a unit is stored: 64 bits of SHA-256 in hexadecimal digits."""
    return hashlib.sha256(f"unit:{value}".encode("utf-8", "replace")).hexdigest()[:16]


def drawn_unit(decision: Decision, facts: Facts) -> str | None:
    """The hash of the unit this decision was drawn by, or None when it was drawn per request."""
    if decision.unit is None:
        return None
    found = unit_of((decision.unit,), facts.user, facts.metadata)
    return None if found is None else hashed_unit(found[1])


def exposure_row(decision: Decision, facts: Facts, unit: str | None, time: float) -> Row:
    """A row of `exposures`."""
    return (time, decision.router, decision.route_id, decision.variant_id, decision.experiment, decision.reason.value,
            decision.unit, unit, decision.sticky, decision.bucket, decision.propensity, decision.seed,
            facts.forced_variant is not None)  # fmt: skip


def request_row(record: Record, unit: str | None) -> Row:
    """A row of `requests`."""
    decision, served = record.decision, record.served
    tokens = tokens_of(record.usage)
    duration_ms = None if record.ended_s is None else (record.ended_s - record.started_s) * 1000
    ttft_ms = (
        None if served is None or served.first_token_s is None else (served.first_token_s - record.started_s) * 1000
    )
    return (record.generation_id, record.request_id, record.wall_s, record.kind, record.key_id,
            decision.router, decision.route_id, decision.variant_id, decision.experiment, unit, decision.model,
            None if served is None else served.target.name,
            None if record.outcome is None else record.outcome.value, record.status, len(record.attempts), duration_ms,
            ttft_ms, None if tokens is None else tokens.input, None if tokens is None else tokens.output,
            cost_usd(record.attempts[-1].target.prices if record.attempts else None, tokens))  # fmt: skip


def attempt_rows(record: Record) -> list[Row]:
    """Rows of `attempts`."""
    return [
        (record.generation_id, number, one.target.name, one.target.provider, one.stage, one.outcome.value,
         one.status_code, None if one.error is None else one.error.code, (one.ended_s - one.started_s) * 1000,
         None if one.first_token_s is None else (one.first_token_s - one.started_s) * 1000, one.credential_type)
        for number, one in enumerate(record.attempts)
    ]  # fmt: skip
