"""The checker can fail: for each invariant logs that break it alone, and what it says when there is nothing to try."""

import json
from dataclasses import replace

import pytest

from .heard import Told, heard_in, heard_on
from .invariants import NEEDS, Attempt, Call, Evidence, Heard, Row, verdicts
from .matrix import EVERY
from .witness import LEDGER

KEY = "sk-canary-of-a-key"
FELL = (Attempt("east/503@a", "overloaded"), Attempt("east/ok@spare", "success", committed=True))
CUT = (Attempt("east/cut-2@b", "truncated", committed=True),)
LOST, TOOK_OVER = Attempt("spoken/begun", "http_5xx", "realtime"), Attempt("spoken/good", "success", "realtime")
RELAYED = {"request_id": "sess_1", "counted": None}


def sound():
    """Two callers, one fallback, one cut stream, a relayed session that loses an upstream: all as it should be."""
    return Evidence(
        heard=[
            Heard(("complete",), "A careful router", FELL, "req_1", "v", said=b"A careful router", model=FELL[0].model),
            Heard(("error event",), "A careful", CUT, "req_2", hung_up_s=100.0, model="east/cut-2@b"),
            Heard(("completed",), said=b"mine: word-of-one", own="word-of-one", counted=None),
            Heard(("completed",), own="word-of-another", counted=None),
            Heard(("closed 1000",), model="spoken/good", hung_up_s=110.0, tokens=12, **RELAYED),
            Heard(("failed",), "A careful", (LOST,), so_far=True, voices=frozenset("1"), **RELAYED),
            Heard(("completed",), "A careful router", (LOST, TOOK_OVER), so_far=True, voices=frozenset("2"), **RELAYED),
        ],
        calls=[
            Call("503@a", 99.0),
            Call("ok@spare", 99.5),
            Call("cut-2@b", 100.2),
            Call("begun", 105.0),
            Call("good", 110.2),
        ],
        rows=[
            Row("req_1", "split", "v", "u", FELL, 72),
            Row("req_2", None, None, None, CUT),
            Row("sess_1", "moved", "v", "u2", (LOST, TOOK_OVER), 12),
        ],
        before={"rr_inflight": 0.0, 'rr_requests_total{protocol="chat"}': 5.0, "rr_attempts_total": 1.0},
        after={
            "rr_inflight": 0.0,
            "rr_ws_sessions": 0.0,
            'rr_requests_total{protocol="chat"}': 7.0,
            'rr_requests_total{protocol="realtime"}': 1.0,
            "rr_attempts_total": 6.0,
            "rr_tokens_total": 84.0,
        },
        sinks={"stderr": b"a line", "metrics": b"rr_inflight 0"},
        stderr="a line",
        secrets=(KEY,),
        plain=("east", "spoken"),
        chains={
            ("split", "v"): {"east/503@a", "east/ok@spare"},
            ("moved", "v"): {"spoken/begun", "spoken/good"},
        },
    )


def broken(evidence):
    return {name for name, verdict in verdicts(evidence).items() if verdict.broken}


def change(place, **fields):
    """A mutation: this client, call or record is another."""
    kind, number = place

    def mutate(evidence):
        having = getattr(evidence, kind)
        having[number] = replace(having[number], **fields)

    return mutate


def count(name, value):
    return lambda evidence: evidence.after.update({name: value})


TWICE = (Attempt("east/503@a", "success", committed=True), Attempt("east/ok@spare", "success"))
MUTANTS = {
    "an attempt is not told": ("I1", change(("heard", 0), attempts=FELL[1:])),
    "an attempt is told with another outcome": (
        "I1",
        change(("heard", 0), attempts=(replace(FELL[0], outcome="rate_limited"), FELL[1])),
    ),
    "the upstream saw a call that nobody tells": ("I1", lambda e: e.calls.append(Call("ok@spare", 99.0))),
    "an attempt never reached the upstream": ("I1", lambda e: e.calls.pop()),
    "a spoken reply tells a call that is not recorded": (
        "I1",
        change(("heard", 3), attempts=(Attempt("east/ok@x", "success", "llm"),)),
    ),
    "a word is lost": ("I2", change(("heard", 0), text="A router")),
    "a word comes twice": ("I2", change(("heard", 0), text="A A careful")),
    "two attempts speak": (
        "I3",
        change(("heard", 0), attempts=(replace(FELL[0], committed=True), FELL[1])),
    ),
    "two attempts served": (
        "I3",
        lambda e: (change(("rows", 0), attempts=TWICE)(e), change(("heard", 0), attempts=TWICE)(e)),
    ),
    "a client never hears the end": ("I5", change(("heard", 0), ends=())),
    "a client hears two ends": ("I5", change(("heard", 1), ends=("error event", "complete"))),
    "a connection just ends": ("I5", change(("heard", 1), ends=("lost",))),
    "something comes after the end": ("I5", change(("heard", 2), ends=("completed", "late event"))),
    "a call goes on": ("I6", change(("calls", 0), ended_s=None)),
    "a call outlives its client": ("I6", change(("calls", 2), ended_s=102.0)),
    "a gauge stays up": ("I7", count("rr_inflight", 1.0)),
    "a session stays": ("I7", count("rr_ws_sessions", 1.0)),
    "a request is counted twice": ("I8", count('rr_requests_total{protocol="chat"}', 8.0)),
    "a request is not counted": ("I8", count('rr_requests_total{protocol="chat"}', 6.0)),
    "an attempt is not counted": ("I8", count("rr_attempts_total", 5.0)),
    "tokens are counted twice": ("I8", count("rr_tokens_total", 156.0)),
    "a key is in a log": ("I9", lambda e: e.sinks.update(log=f"key={KEY}".encode())),
    "a key is in an answer": ("I9", change(("heard", 1), said=KEY.encode())),
    "a key is spoken": ("I9", change(("heard", 2), said=json.dumps({"delta": KEY}).encode())),
    "a session hears another's words": ("I9", change(("heard", 2), said=b"word-of-another")),
    "spoken words are in a log": ("I9", lambda e: e.sinks.update(log=b"heard word-of-one")),
    "another variant is told": ("I10", change(("heard", 0), variant="w")),
    "a model of another variant answers": ("I10", lambda e: e.chains.update({("split", "v"): {"east/503@a"}})),
    "a unit meets two variants": ("I10", lambda e: e.rows.append(Row(None, "split", "w", "u", ()))),
    "a session tells an upstream that was not recorded": (
        "I1",
        change(("heard", 5), attempts=(replace(LOST, outcome="in_band_error"),)),
    ),
    "a session does not tell who had it first": ("I1", change(("heard", 6), attempts=(TOOK_OVER,))),
    "a session has more upstreams than were recorded": ("I1", change(("heard", 5), attempts=(LOST, TOOK_OVER, LOST))),
    "a realtime upstream was dialled that nobody tells": ("I1", lambda e: e.calls.append(Call("good", 99.0))),
    "a lost reply is begun again in the next": ("I2", change(("heard", 6), text="A careful A careful router")),
    "two upstreams speak in one reply": ("I3", change(("heard", 6), voices=frozenset("12"))),
    "a reply of a session never ends": ("I5", change(("heard", 6), ends=())),
    "a session is closed without a word": ("I5", change(("heard", 4), ends=())),
    "an upstream outlives its session": ("I6", change(("calls", 4), ended_s=112.0)),
    "tokens of a session are told and not recorded": ("I8", change(("heard", 4), tokens=24)),
    "a session is not counted": ("I8", count('rr_requests_total{protocol="realtime"}', 0.0)),
    "a session changes to a model of another variant": (
        "I10",
        lambda e: e.chains.update({("moved", "v"): {"spoken/begun"}}),
    ),
    "series without end": ("I11", lambda e: e.after.update({f"x{n}": 0.0 for n in range(20_000)})),
    "a lost task": ("I12", lambda e: setattr(e, "stderr", "Task was destroyed but it is pending!")),
}


def test_a_sound_story_breaks_nothing_and_tries_everything():
    assert broken(sound()) == set()
    assert [name for name, verdict in verdicts(sound()).items() if verdict.idle] == []


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_breaks_its_invariant(name):
    number, mutate = MUTANTS[name]
    evidence = sound()
    mutate(evidence)
    extra = {"I8"} if name == "a unit meets two variants" else set()  # its record is not counted either
    assert broken(evidence) - extra == {number}


def test_too_many_attempts_are_seen():
    evidence = sound()
    four = (*(Attempt("east/503@a", "overloaded"),) * 3, FELL[1])
    change(("rows", 0), attempts=four)(evidence)
    change(("heard", 0), attempts=four)(evidence)
    evidence.calls += [Call("503@a", 99.0)] * 2
    evidence.after["rr_attempts_total"] += 2
    assert broken(evidence) == {"I4"}


def test_a_success_that_failed_later_was_a_success_when_it_was_told():
    evidence = sound()
    change(("heard", 5), attempts=(replace(LOST, outcome="success"),))(evidence)
    assert broken(evidence) == set()
    change(("heard", 5), attempts=(replace(TOOK_OVER, model="spoken/other"),))(evidence)
    assert broken(evidence) == {"I1"}


def test_every_invariant_has_a_mutant():
    assert {number for number, _ in MUTANTS.values()} | {"I4"} == set(NEEDS)


def test_what_could_not_be_tried_is_said():
    found = verdicts(Evidence())
    assert {name for name, verdict in found.items() if verdict.idle} == set(NEEDS) - {"I12"}
    assert found["I2"].idle == "there was no word of an answer"


class Spoken:
    """A raw connection, or a session, that is over."""

    canary, ours = "word", True

    def __init__(self, sent=b"", heard=b"", *, ended=True, events=()):
        self.sent, self.heard, self.ended, self.hung_up_s, self.events = sent, heard, ended, None, list(events)

    def of(self, kind):
        return [event for event in self.events if event["type"] == kind]


ASKED = b'POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 14\r\n\r\n{"model": "m"}'
STREAM = b"HTTP/1.1 200 OK\r\nx-request-id: r\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "A"}}]}\n\n'


@pytest.mark.parametrize(
    ("heard", "ended", "ends"),
    [
        (b"", True, ("lost",)),
        (b"", False, ("client cancel",)),
        (b"HTTP/1.1 503 No\r\nx-request-id: r\r\n\r\n{}", True, ("http error",)),
        (b"HTTP/1.1 200 OK\r\nx-request-id: r\r\ncontent-type: application/json\r\n\r\n{}", True, ("complete",)),
        (STREAM + b"%x\r\n%b\r\n" % (len(WORD), WORD), True, ("lost",)),
        (STREAM + b"%x\r\n%b\r\n" % (len(WORD), WORD), False, ("client cancel",)),
        (STREAM + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n", True, ("complete",)),
    ],
)
def test_raw_bytes_are_heard_as_what_they_are(heard, ended, ends):
    found = heard_on(Spoken(ASKED, heard, ended=ended))
    assert found.ends == ends
    assert found.model == "m"


def test_an_answer_with_two_ends_has_two():
    both = b'data: {"error": {"message": "x"}}\n\ndata: [DONE]\n\n'
    assert Told(200, {"content-type": "text/event-stream"}, both).ends == ("complete", "error event")


def test_a_voice_response_without_an_end_or_with_words_behind_it_is_seen():
    started = {"type": "response.created", "response": {"id": "r"}}
    done = {"type": "response.done", "response": {"id": "r", "status": "completed", "metadata": None, "output": []}}
    late = {"type": "response.output_text.delta", "response_id": "r"}
    closed = {"type": "closed", "code": 1000}

    def ends(*events):
        return [one.ends for one in heard_in(Spoken(events=events), {})]

    assert ends(started, done, closed) == [("closed 1000",), ("completed",)]
    assert ends(started, done, late, closed) == [("closed 1000",), ("completed", "late event")]
    assert ends(started) == [(), ()]


def test_every_row_ended_in_the_checker_and_every_invariant_was_tried():
    """The ledger of a whole run: `RR_WRITE_VERDICTS=1 python -m pytest tests/faults`."""
    kept = json.loads(LEDGER.read_text(encoding="utf-8"))
    assert {int(number) for number in kept} == {row.number for row in EVERY}
    for number, tried in kept.items():
        assert tried["I9"], f"row {number}"
        assert tried["I12"], f"row {number}"
    assert all(sum(tried[name] for tried in kept.values()) > 100 for name in NEEDS)
