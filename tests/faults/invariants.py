"""The offline checker: what clients heard, what the upstream saw, records, metrics and stderr must be one story.

`verdicts(evidence)` gives, for each of the twelve invariants, what broke it and on how many things it could be tried;
none means that this row had nothing to try it on, and `Verdict.idle` says what was missing. Pure: nothing is asked
here, everything is in the evidence.

I1  the attempts told are the calls the upstream saw      I7  in-flight gauges return to nought
I2  the client's words are those of the serving attempt   I8  every request is counted once, its tokens once
I3  one serving attempt after the commit                  I9  no key, prompt or other caller's words outside their place
I4  no more attempts than allowed                         I10 fallback never changes the variant
I5  a request ends in exactly one way                     I11 the number of series is bounded
I6  no upstream call outlives its client                  I12 nothing on stderr about lost tasks or sockets
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from router.upstreams.scripted import CANONICAL

MAX_ATTEMPTS = 3
MAX_SERIES = 10_000
OUTLIVES_S = 1.5  # one second, and what a busy machine needs to say so
UNSEEN = {"connect_refused", "connect_timeout", "tls", "dns", "router_overloaded"}  # no request reached the upstream
MAYBE_SEEN = {"cancelled_by_client", "deadline"}
WORDS = CANONICAL.split()
_LETTERS = "".join(WORDS)  # some say the whole again and again
LEAKS = ("Task was destroyed", "never retrieved", "ResourceWarning", "Traceback", "coroutine")


@dataclass(frozen=True)
class Attempt:
    """One attempt, as a client was told it or as the records have it."""

    model: str
    outcome: str
    stage: str | None = None
    committed: bool = field(default=False, compare=False)  # its words went out; only a client was told so


@dataclass(frozen=True)
class Heard:
    """What one client was told. `ends` are the ways it ended; `counted`: did the application count a chat request for
    it (None: surely not, False: who knows). `so_far`: it was told these attempts while the request went on, the last of
    them as the success it was by then."""

    ends: tuple[str, ...]
    text: str = ""
    attempts: tuple[Attempt, ...] | None = None  # None: it was told none
    request_id: str | None = None
    variant: str | None = None
    said: bytes = b""  # everything it was sent
    own: str = ""  # words that only this client may hear
    hung_up_s: float | None = None  # Unix time
    model: str = ""
    router: str | None = None
    counted: bool | None = True
    so_far: bool = False
    tokens: int | None = None  # that it was told were used
    voices: frozenset[str] = frozenset()  # each upstream of a relayed session has one of its own


@dataclass(frozen=True)
class Call:
    """A call in the upstream's log, in Unix time."""

    model: str
    ended_s: float | None


@dataclass(frozen=True)
class Row:
    """A record."""

    request_id: str | None
    router: str | None
    variant: str | None
    unit: str | None
    attempts: tuple[Attempt, ...]
    tokens: int = 0


@dataclass
class Evidence:
    """What a row of the matrix left behind. None: it could not be had."""

    heard: list[Heard] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    rows: list[Row] | None = None
    before: dict[str, float] | None = None  # /metrics
    after: dict[str, float] | None = None
    sinks: dict[str, bytes] = field(default_factory=dict)
    stderr: str = ""
    secrets: tuple[str, ...] = ()
    plain: tuple[str, ...] = ()  # providers whose every call is in the upstream's log
    chains: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # (router, variant): its models
    continuing: frozenset[str] = frozenset()  # routers that go on behind a cut
    killed: bool = False
    unheard: bool = False  # somebody asked, too, whom nobody listened to


@dataclass
class Verdict:
    """`broken` says what is wrong; `tried` counts what the invariant was tried on."""

    needs: str
    broken: list[str] = field(default_factory=list)
    tried: int = 0

    def __call__(self, *, holds, otherwise):
        self.tried += 1
        if not holds:
            self.broken.append(otherwise)

    @property
    def idle(self):
        """Why it was tried on nothing; empty when it was."""
        return "" if self.tried else f"there was no {self.needs}"


NEEDS = {
    "I1": "attempt", "I2": "word of an answer", "I3": "attempt", "I4": "attempt", "I5": "client", "I6": "upstream call",
    "I7": "gauge", "I8": "counter", "I9": "answer or sink", "I10": "variant", "I11": "series", "I12": "stderr",
}  # fmt: skip


def verdicts(evidence):
    """A verdict for each invariant."""
    found = {name: Verdict(needs) for name, needs in NEEDS.items()}
    for judge in (_attempts, _answers, _calls, _counted, _kept_secret, _variants):
        judge(evidence, found)
    if evidence.after is not None:
        found["I11"](holds=len(evidence.after) < MAX_SERIES, otherwise=f"{len(evidence.after)} series")
    leaks = [leak for leak in LEAKS if leak in evidence.stderr]
    found["I12"](holds=not leaks, otherwise=f"{leaks}: {evidence.stderr[-2000:]}")
    return found


def _attempts(evidence, found):
    """I1, I3, I4: clients against records, records against the upstream's log."""
    rows = evidence.rows or []
    by_id = {row.request_id: row for row in rows if row.request_id is not None}
    spoken = Counter()
    for heard in evidence.heard:
        if heard.attempts is None:
            continue
        if heard.request_id is None:
            spoken.update(heard.attempts)
        elif evidence.rows is not None:
            row = by_id.get(heard.request_id)
            kept = row.attempts if row is not None else ()
            same = _began(kept, heard.attempts) if heard.so_far else kept == heard.attempts
            found["I1"](holds=same, otherwise=f"told {heard.attempts}, recorded {kept}")
    kept = Counter(attempt for row in rows for attempt in row.attempts)
    if spoken:
        found["I1"](holds=not spoken - kept, otherwise=f"told and not recorded: {spoken - kept}")
    least, most = Counter(), Counter()
    for row in rows:
        for attempt in row.attempts:
            provider, _, model = attempt.model.partition("/")
            certain = provider in evidence.plain and attempt.outcome not in UNSEEN | MAYBE_SEEN
            least[model] += certain
            most[model] += attempt.outcome not in UNSEEN
        served = [attempt for attempt in row.attempts if attempt.outcome == "success"]
        last = row.attempts[-1:]
        found["I3"](holds=len(served) <= 1 and served in ([], list(last)), otherwise=f"served twice: {row.attempts}")
        found["I4"](holds=len(row.attempts) <= MAX_ATTEMPTS, otherwise=f"{len(row.attempts)} attempts")
    if evidence.rows is not None:
        seen = Counter(call.model for call in evidence.calls)
        for model in seen.keys() | least.keys():
            found["I1"](
                holds=least[model] <= seen[model] <= most[model],
                otherwise=f"{model}: {least[model]} to {most[model]} attempts, the upstream saw {seen[model]}",
            )


def _began(kept, told):
    """Whether what was recorded began so; what was a success by then may have failed later."""
    *before, last = told or (None,)
    there = kept[len(before)] if len(kept) > len(before) else None
    same = last == there or (last and there and last.outcome == "success" and last.model == there.model)
    return list(kept[: len(before)]) == before and bool(same or not told)


def _answers(evidence, found):
    """I2, I3 and I5: what each client was told."""
    for heard in evidence.heard:
        ends = [end for end in heard.ends if end != "lost" or not evidence.killed]
        lost = evidence.killed and heard.ends == ("lost",)
        found["I5"](holds=(len(ends) == 1 and "lost" not in ends) or lost, otherwise=f"ended as {heard.ends}")
        said = "".join(heard.text.split())
        if said:
            whole = _LETTERS * (len(said) // len(_LETTERS) + 1)
            found["I2"](holds=whole.startswith(said), otherwise=f"{heard.text[:500]!r}")
        if heard.attempts and heard.router not in evidence.continuing:
            serving = sum(one.committed for one in heard.attempts if one.stage in (None, "llm"))
            found["I3"](holds=serving <= 1, otherwise=f"words of {serving} attempts: {heard.attempts}")
        if heard.voices:
            found["I3"](holds=len(heard.voices) == 1, otherwise=f"{len(heard.voices)} upstreams in one response")


def _calls(evidence, found):
    """I6: every call has ended, and soon after its client hung up."""
    gone = {}
    for heard in evidence.heard:
        if heard.hung_up_s is not None:
            name = heard.model.partition("/")[2]
            gone[name] = max(heard.hung_up_s, gone.get(name, 0.0))
    for call in evidence.calls:
        limit_s = gone.get(call.model, float("inf"))
        limit_s = float("inf") if limit_s is None else limit_s + OUTLIVES_S
        found["I6"](holds=call.ended_s is not None and call.ended_s <= limit_s, otherwise=f"{call} outlives its client")


def _counted(evidence, found):
    """I7 and I8: gauges, and counters against records and clients."""
    if evidence.after is None or evidence.before is None:
        return

    def total(exposition, name, words=""):
        return sum(v for series, v in exposition.items() if series.partition("{")[0] == name and words in series)

    def grown(name, words=""):
        return total(evidence.after, name, words) - total(evidence.before, name, words)

    for gauge in ("rr_inflight", "rr_ws_sessions"):
        left = total(evidence.after, gauge)
        found["I7"](holds=left == 0, otherwise=f"{gauge} is {left}")
    requests = grown("rr_requests_total")
    asked = grown("rr_requests_total", 'protocol="chat"')
    least = sum(heard.counted is True for heard in evidence.heard)
    most = sum(heard.counted is not None for heard in evidence.heard)
    found["I8"](
        holds=least <= asked and (evidence.unheard or asked <= most),
        otherwise=f"{asked} requests counted, {least} to {most} asked",
    )
    if evidence.rows is not None:
        turned_away = grown("rr_requests_total", 'route="none",variant="none"')
        sums = {
            "requests": (requests - turned_away, len(evidence.rows)),
            "attempts": (grown("rr_attempts_total"), sum(len(row.attempts) for row in evidence.rows)),
            "tokens": (grown("rr_tokens_total"), sum(row.tokens for row in evidence.rows)),
        }
        for name, (counted, kept) in sums.items():
            found["I8"](holds=counted == kept, otherwise=f"{counted} {name} counted, {kept} recorded")
        used = {row.request_id: row.tokens for row in evidence.rows}
        for heard in evidence.heard:
            if heard.tokens is not None:
                kept = used.get(heard.request_id, 0)
                found["I8"](holds=heard.tokens == kept, otherwise=f"{heard.tokens} tokens told, {kept} recorded")


def _kept_secret(evidence, found):
    """I9: canaries in sinks and answers; what one caller said in what another one heard."""
    own = [heard.own for heard in evidence.heard if heard.own]
    for name, content in evidence.sinks.items():
        leaked = [word for word in (*evidence.secrets, *own) if word.encode() in content]
        found["I9"](holds=not leaked, otherwise=f"{[word[:10] for word in leaked]} in {name}")
    for heard in evidence.heard:
        foreign = (*evidence.secrets, *(word for word in own if word != heard.own))
        leaked = [word for word in foreign if word.encode() in heard.said]
        found["I9"](holds=not leaked, otherwise=f"{[word[:10] for word in leaked]} in an answer")


def _variants(evidence, found):
    """I10: the variant told is the one recorded, its unit's only one, and its own models answered."""
    told = {heard.request_id: heard.variant for heard in evidence.heard if heard.variant is not None}
    of_unit = defaultdict(set)
    for row in evidence.rows or ():
        if row.variant is None:
            continue
        if row.request_id in told:
            found["I10"](holds=told[row.request_id] == row.variant, otherwise=f"{told[row.request_id]} told of {row}")
        chain = evidence.chains.get((row.router or "", row.variant))
        if chain is not None:
            strange = [one.model for one in row.attempts if one.model not in chain]
            found["I10"](holds=not strange, otherwise=f"{strange} are not of variant {row.variant}")
        if row.unit is not None:
            of_unit[row.router, row.unit].add(row.variant)
    for unit, variants in of_unit.items():
        found["I10"](holds=len(variants) == 1, otherwise=f"{unit} met {variants}")
