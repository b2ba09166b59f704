"""Gathers the evidence of one row of the matrix, from the street it is played in, and has it judged.

Clients are heard where they are made: answers of `street.client`, raw connections, voice sessions. The rest is read
when the row is over and everything has come to rest: the upstream's log, the records' file, /metrics.
"""

import contextlib
import json
import os
import re
import secrets
import socket
import sqlite3
import time
from pathlib import Path

import httpx
import yaml

from .heard import MODEL_PATHS, Told, heard_in, heard_on, sessions_in
from .invariants import Attempt, Call, Evidence, Heard, Row, verdicts

REST_S = 3.0
LEDGER = Path(__file__).parent / "verdicts.json"
MOST_SENT = 100_000


class Line(socket.socket):
    """A raw connection that remembers what was said on it."""

    def __init__(self):
        super().__init__()
        self.sent = self.heard = b""
        self.ended = False  # by the other side
        self.hung_up_s = None

    def sendall(self, data):
        self.sent += data[:MOST_SENT]
        super().sendall(data)

    def recv(self, size):
        try:
            piece = super().recv(size)
        except ConnectionError:
            self.ended = True
            raise
        self.heard += piece
        self.ended = self.ended or not piece
        return piece

    def close(self):
        if self.hung_up_s is None and not self.ended:
            self.hung_up_s = time.time()
        super().close()


class Witness:
    """`begin` when a row begins, `end` when it is over: AssertionError when an invariant is broken."""

    def __init__(self, street):
        self.street = street
        self.answers, self.lines, self.clients, self.others = [], [], [], []
        self.judged = self.unheard = False
        self.before = None

    def begin(self):
        """Forget what was before, when it has come to rest."""
        if self.before is not None:
            self._await_rest()
        self.judged = False
        for kept in (self.answers, self.lines, self.clients, self.others):
            kept.clear()
        self.calls_before = [len(log) for log in self.street.logs()]
        self.before = self._exposition()
        self.rows_before = self._last_row()

    def told(self, reply):
        """A response hook of httpx: keeps every answer of a model's path."""
        reply.read()
        if reply.request.url.path in MODEL_PATHS and reply.request.method == "POST":
            told = Told(reply.status_code, reply.headers, reply.content)
            reply.extensions["told"] = told
            self.answers.append(told)

    def sessions(self, clients, *, ours=True):
        """Voice sessions, each with a word of its own; `ours` when their replies are made here."""
        for client in clients:
            client.canary, client.ours = f"canary-of-a-caller-{secrets.token_hex(6)}", ours
            client.left_s = None
            self.clients.append(client)

    def sockets(self, ends):
        """How voice sessions ended that are nobody's to hear."""
        self.others += [Heard((f"closed {one}",), counted=None) for one in ends]

    def statuses(self, statuses):
        """Answers of which only the status is known; None where none came."""
        ends = {None: "client cancel", 200: "complete"}
        self.others += [Heard((ends.get(one, "http error"),), counted=one is not None) for one in statuses]

    def end(self):
        """Judge what has happened since `begin`, once."""
        if self.judged:
            return
        self.judged = True
        self._await_rest()
        late_s = time.monotonic() + REST_S
        while (found := verdicts(self.evidence()))["I1"].broken and time.monotonic() < late_s:
            time.sleep(0.2)  # a call on a broken line may come late
        keep_verdicts(found)
        broken = [f"{name}: {what}" for name, verdict in found.items() for what in verdict.broken[:3]]
        assert not broken, "\n".join(broken)

    def evidence(self):
        """What there is."""
        street = self.street
        exposition = self._text("/metrics")
        stderr = street.stderr.read_text(errors="replace")
        heard = [told.as_heard() for told in self.answers] + self.others
        heard += [one for line in self.lines if (one := heard_on(line)) is not None]
        heard += [one for client in self.clients for one in heard_in(client, sessions_in(stderr))]
        sinks = {"stderr": stderr.encode(), **{p.name: p.read_bytes() for p in street.folder.glob("records.db*")}}
        if exposition is not None:
            recent = street.client.get("/v1/router/requests", params={"limit": 1000})
            sinks |= {"metrics": exposition.encode(), "recent requests": recent.content}
        return Evidence(
            heard=heard,
            calls=[Call(one.model, one.ended) for one in self._calls()],
            rows=None if self._dropped(exposition) else self._rows(),
            before=self.before,
            after=None if exposition is None else samples(exposition),
            sinks=sinks,
            stderr=stderr,
            secrets=street.secrets,
            plain=street.plain,
            chains=chains(street.routers),
            continuing=frozenset(name for name, text in street.routers.items() if "on_interrupt: continue" in text),
            killed=self._killed(),
            unheard=self.unheard,
        )

    def _calls(self):
        return [one for log, before in zip(self.street.logs(), self.calls_before, strict=True) for one in log[before:]]

    def _dropped(self, exposition):
        """Whether records were lost, and said to be: a database that could not be opened for want of descriptors."""
        name = "rr_records_dropped_total"
        return exposition is not None and samples(exposition).get(name, 0.0) > self.before.get(name, 0.0)

    def _killed(self):
        return (self.street.process.poll() or 0) < 0

    def _await_rest(self):
        """Wait for what is under way; what does not come to rest is for the verdicts to say."""
        with contextlib.suppress(AssertionError):
            self.street.until(self._rests, REST_S)

    def _rests(self):
        """Nothing is under way, and everything that was counted is recorded."""
        if any(one.ended is None for one in self._calls()):
            return False
        now = self._exposition()
        if now is None:
            return True
        if any(value for name, value in now.items() if name.startswith(("rr_inflight", "rr_ws_sessions"))):
            return False
        counted = sum(
            value - (self.before or {}).get(name, 0.0)
            for name, value in now.items()
            if name.startswith("rr_requests_total") and 'route="none",variant="none"' not in name
        )
        rows = self._rows()
        return rows is None or len(rows) >= counted

    def _text(self, path):
        try:
            return self.street.client.get(path).text
        except httpx.HTTPError:
            return None

    def _exposition(self):
        text = self._text("/metrics")
        return None if text is None else samples(text)

    def _database(self):
        place = self.street.folder / self.street.records
        if not place.exists():
            return None
        database = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
        made = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if {"requests", "attempts"} <= made:
            return database
        database.close()
        return None

    def _last_row(self):
        database = self._database()
        if database is None:
            return 0
        with contextlib.closing(database):
            return database.execute("SELECT coalesce(max(rowid), 0) FROM requests").fetchone()[0]

    def _rows(self):
        """Records written since; None where they cannot be."""
        if not self.street.recorded or self._killed():
            return None
        database = self._database()
        if database is None:
            return []
        with contextlib.closing(database):
            made = {}
            for name, *kept in database.execute(
                "SELECT generation_id, request_id, router, variant_id, unit, "
                "coalesce(input_tokens, 0) + coalesce(output_tokens, 0) FROM requests WHERE rowid > ?",
                (self.rows_before,),
            ):
                made[name] = (kept, [])
            for name, *attempt in database.execute(
                "SELECT generation_id, target, outcome, stage FROM attempts ORDER BY generation_id, number"
            ):
                if name in made:
                    made[name][1].append(Attempt(*attempt))
        return [Row(kept[0] or name, *kept[1:4], tuple(made_), kept[4]) for name, (kept, made_) in made.items()]


def samples(text):
    """Every sample of an exposition by its whole name."""
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def chains(routers):
    """The models of each variant of these routers."""
    found = {}
    for name, text in routers.items():
        router = yaml.safe_load(text)
        for route in (router.get("default"), *router.get("routes", ())):
            for variant in (route or {}).get("variants", ()):
                found[name, variant["id"]] = {variant["model"], *variant.get("fallbacks", ())}
    return found


def keep_verdicts(found):
    """Add what each invariant was tried on to the ledger, by the numbers of the running test, if that is asked for."""
    running = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[2]
    named = re.match(r"test_a_row_of_the_matrix\[(\d+)|test_((?:\d+_)+)", running)
    if not named or not os.environ.get("RR_WRITE_VERDICTS"):
        return
    kept = json.loads(LEDGER.read_text()) if LEDGER.exists() else {}
    for number in (named[1] or named[2]).strip("_").split("_"):
        mine = kept.setdefault(number, {})
        for name, verdict in found.items():
            mine[name] = mine.get(name, 0) + verdict.tried
    LEDGER.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
