"""`python -m tests.faults.page > docs/failure-contract.md`: the page about what clients see when something breaks."""

import json
import sys

from .figures import FILE
from .invariants import NEEDS
from .matrix import EVERY, TABLE
from .witness import LEDGER

TABLE_TEST = "tests/faults/test_matrix.py"
HEAD = """# The failure contract

Made from the fault matrix by `python -m tests.faults.page > docs/failure-contract.md`. What breaks, what a client sees,
the worst figure that a run measured, and the test that proves it. Figures in plain ms are the time of the whole
request, of which the sixty words alone take 70 ms. They were measured on two cores that other
work shared, with timers shortened by configuration: connect 0.5 s, first token 0.8 s, idle 0.6 s.

`make test` runs every row. Networks are broken in network namespaces, clocks by libfaketime, processor and memory by
control groups; where a machine offers none of these, or is not root, the row is skipped and says why. To measure
anew: delete `tests/faults/figures.json`, run `RR_WRITE_FIGURES=1 python -m pytest tests/faults`, write the page.

Every row ends in one checker (`tests/faults/invariants.py`), which holds what clients heard against the provider's log,
the records, the metrics and stderr. Twelve invariants: the attempts told are the calls the provider saw (I1); the
client's words are those of the one serving attempt, in order, once (I2, I3); no more attempts than allowed (I4); a
request ends in exactly one way (I5); no upstream call outlives its client (I6); gauges return to nought (I7); requests,
attempts and tokens are counted once (I8); no key, prompt or other caller's words outside their place (I9); fallback
never changes a variant (I10); the number of series is bounded (I11); no task or socket is lost (I12). A voice session
keeps them response by response; one that is relayed to a provider's realtime endpoint is one request whose attempts
are its connections, and no reply of it is made of two. The column *tried* says which of them had something to hold
(`RR_WRITE_VERDICTS=1` writes it): where no call is made there is no attempt to be truthful about, where the process has
ended there are no metrics left to read, and only what is asked of a router has a variant. Rows of `test_matrix.py` are
asked for by the names of their targets and once more through a router with two variants; the rows without I10 name
their targets themselves, since what they break (networks, clients, the machine) lies before or behind the decision.

Two sentences say most of it. **Before the first word** a fault is invisible: the next target answers. **After it**
nothing is replayed: the client gets exactly what was sent and then one error event without `[DONE]`, unless
`on_interrupt: continue` is set, which goes on where the text was cut or ends in the same one error.

A voice session that is relayed to a provider's own realtime endpoint is lost in row 61; rows 62 to 66 break ears, model
and voice behind a session whose replies are made here.

| row | what breaks | what the client sees | figure | tried | proof |
|---|---|---|---|---|---|
"""
TAIL = """
## Not run here

These rows need what the machine of this page did not offer. They are listed, not passed.

| row | what breaks | what the client would see | it needs |
|---|---|---|---|
"""


def figure(row, kept):
    """The figure of a row, where one was measured."""
    found = kept.get(f"{row.number} {row.fault}")
    return f"{found['value']:,g} {found['unit']}" if found else "–"


def tried(row, verdicts):
    """Which invariants had something to hold there."""
    idle = [name for name in NEEDS if not verdicts.get(str(row.number), {}).get(name)]
    return f"all but {', '.join(idle)}" if idle else "all"


def page(kept, verdicts):
    """The whole page, from the figures and verdicts of a run."""
    missing = [row for row in EVERY if row.needs and figure(row, kept) == "–"]
    rows = [
        f"| {row.number} | {row.fault} | {row.sees} | {figure(row, kept)} | {tried(row, verdicts)} "
        f"| `{row.proof or TABLE_TEST}` |"
        for row in EVERY
        if row not in missing
    ]
    last = [f"| {row.number} | {row.fault} | {row.sees} | {row.needs} |" for row in missing]
    tail = TAIL + "\n".join(last) + "\n" if missing else ""
    return HEAD + "\n".join(rows) + "\n" + tail + f"\n{len(TABLE)} rows are of one table.\n"


if __name__ == "__main__":
    sys.stdout.write(page(*(json.loads(file.read_text()) if file.exists() else {} for file in (FILE, LEDGER))))
