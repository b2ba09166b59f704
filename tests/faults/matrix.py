"""The fault matrix: what breaks, what the client sees, and how it is put to the test.

A `Row` that says `next` expects the whole answer from the fallback; `exactly` so many words and one error event;
`complete` the whole answer from the target itself; `refused` an HTTP error. Rows whose test is elsewhere name it. Rows
that need what a machine may not have say so: there they are skipped, and listed as not run.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One row. `models` are tried in order; each gets the row's own mark, so that its log can be found."""

    number: int
    fault: str
    sees: str
    models: tuple[str, ...] = ()
    expect: str = ""  # next | exactly | complete | refused
    words: int = 60
    status: int = 200
    code: str | None = None
    outcomes: tuple[str, ...] = ()  # of the first attempt: any of these
    only: str = ""  # "stream" or "json": the fault exists only there
    figure: str = ""  # what is measured
    limit_ms: float = 0.0  # and its limit
    proof: str = ""  # the test, where it is not the table's own
    needs: str = ""  # what a machine may not have: without it the row is listed as not run


NEXT = "the whole answer, from the next target"
CUT = "exactly what was sent, then one error event, no [DONE]"
WHOLE = "the whole answer"
OK = "east/ok"
HEAVY = ("malformed_response", "decode_error", "first_token_timeout")  # the last where a machine is slow


def falls(number, fault, model, *outcomes, **more):
    """A row of the plainest kind: the fallback answers and nobody notices."""
    return Row(number, fault, NEXT, (model, OK), "next", outcomes=outcomes, figure="added", **more)


CONNECTING = (
    falls(1, "connection refused", "refused/any", "connect_refused", limit_ms=150),
    falls(3, "RST on accept", "dead/any", "reset_before_commit", "connect_refused", limit_ms=150),
    falls(8, "TLS: self-signed certificate", "tls/any", "tls", limit_ms=250),
    falls(8, "TLS: the peer speaks plain HTTP", "plain/any", "tls", "connect_refused", limit_ms=250),
    falls(9, "TLS handshake stalls", "mutetls/any", "connect_timeout", limit_ms=800),
)
BEFORE = (
    falls(13, "headers never come", "east/hang", "first_token_timeout", "header_timeout", limit_ms=1100),
    falls(13, "headers at once, the first token never", "east/slow-first-60", "first_token_timeout", limit_ms=1100,
          only="stream"),
    falls(13, "headers at once, the body never", "east/slow-first-60", "idle_timeout", "header_timeout",
          "first_token_timeout", limit_ms=1100, only="json"),
    falls(14, "one byte of the head every 50 ms", "slow/slow-0", "first_token_timeout", "header_timeout",
          limit_ms=1100),
    *(
        falls(15, f"HTTP {status}", f"east/{status}", "http_5xx", "overloaded", limit_ms=150)
        for status in (500, 502, 503, 504, 529)
    ),
    falls(16, "429 with Retry-After: 30", "east/429-retry-after-30", "rate_limited", limit_ms=150),
    Row(17, "429 everywhere", "429, no storm", ("east/429", "west/429"), "refused",
        status=429, code="rate_limit_exceeded", figure="added", limit_ms=300),
    falls(18, "429, Retry-After: NaN", "east/429-retry-after-odd", "rate_limited", limit_ms=150),
    falls(18, "429, Retry-After: a date in 2099", "east/429-retry-after-date", "rate_limited", limit_ms=150),
    falls(18, "429, retry-after-ms", "east/429-retry-after-ms-1", "rate_limited", limit_ms=150),
    falls(18, "429, Retry-After: 10⁹", "east/429-retry-after-1000000000", "rate_limited", limit_ms=150),
    falls(19, "401: the provider refuses our key", "east/auth", "upstream_auth", limit_ms=150),
    falls(19, "403", "east/403", "upstream_auth", limit_ms=150),
    Row(19, "401 everywhere", "502 `upstream_auth_error`, never 401", ("east/auth", "west/auth"), "refused",
        status=502, code="upstream_auth_error"),
    falls(20, "404: unknown model", "east/404", "model_not_found", limit_ms=150),
    falls(20, "400: context length", "east/context", "context_length", limit_ms=150),
    Row(21, "400: a bad request", "the provider's 400, one attempt", ("east/400", OK), "refused", status=400),
    Row(21, "400: content filter", "the provider's 400, one attempt, no fallback", ("east/content-filter", OK),
        "refused", status=400, code="content_policy_violation"),
    falls(22, "307 to elsewhere", "east/redirect", "malformed_response", "other", limit_ms=150),
    falls(23, "200 with HTML (captive portal)", "east/html", "malformed_response", limit_ms=150),
    falls(24, "200 with an error object", "east/error-json", "in_band_error", limit_ms=150),
    falls(25, "200 without choices", "east/empty", "empty_response", limit_ms=150),
    falls(25, "200, content null", "east/null-content", "empty_response", limit_ms=150),
    falls(26, "gzip bomb of 64 MB", "east/bomb-gzip", *HEAVY, limit_ms=2000),
    falls(26, "says gzip, is not", "east/wrong-encoding", "decode_error", "malformed_response", limit_ms=150),
    falls(27, "a header of 70 KB", "east/big-headers", "malformed_response", limit_ms=150),
    falls(27, "1,000 headers", "east/many-headers", "malformed_response", limit_ms=150),
    Row(28, "8-bit and control characters in headers", "none of them", ("east/odd-headers", OK), "whole"),
    falls(29, "a JSON body of 64 MB", "east/huge-json", *HEAVY, limit_ms=3000,
          only="json"),
    falls(30, "JSON nested 100,000 deep", "east/deep-json", *HEAVY, limit_ms=300),
)  # fmt: skip
STREAM = (
    falls(31, "the first event is an error", "east/error-first", "in_band_error", limit_ms=150),
    Row(32, "an error event after 20 words", CUT, ("east/error-20", OK), "exactly", 20, only="stream",
        outcomes=("in_band_error",)),
    Row(33, "RST after 40 words", CUT, ("east/reset-40", OK), "exactly", 40, only="stream",
        outcomes=("reset_after_commit", "truncated")),
    Row(34, "FIN after 40 words, without the last chunk", CUT, ("east/cut-40", OK), "exactly", 40, only="stream",
        outcomes=("truncated",)),
    falls(35, "the role chunk, then FIN", "east/role-then-die", "truncated", "reset_before_commit", "empty_response",
          only="stream", limit_ms=150),
    Row(36, "both targets: the role chunk, then FIN", "an HTTP error, nothing leaked",
        ("east/role-then-die", "west/role-then-die"), "refused", status=502, only="stream"),
    Row(37, "silence after 20 words", CUT, ("east/stall-20", OK), "exactly", 20, only="stream",
        outcomes=("idle_timeout",), figure="whole", limit_ms=1300),
    Row(38, "finish_reason, then never [DONE]", WHOLE + ", [DONE] made up", ("east/no-done-open", OK), "complete",
        only="stream", figure="whole", limit_ms=3500),
    Row(39, "no [DONE], clean end", WHOLE, ("east/no-done-close", OK), "complete", only="stream"),
    Row(40, "a clean end without finish_reason", CUT, ("east/finless-30", OK), "exactly", 30, only="stream",
        outcomes=("truncated",)),
    Row(41, "one event is no JSON", WHOLE + ", the event left out", ("east/malformed-20", OK), "complete",
        only="stream"),
    Row(42, "every odd spelling of SSE", WHOLE, ("east/odd-sse", OK), "complete", only="stream"),
    Row(43, "one byte a segment", WHOLE, ("slicer/ok", OK), "complete", only="stream"),
    falls(44, "an event of 10 MB", "east/huge-event", *HEAVY, limit_ms=3000, only="stream"),
    falls(44, "a line that never ends", "east/endless-line", *HEAVY, limit_ms=3000, only="stream"),
    Row(46, "data after [DONE]", WHOLE, ("east/late", OK), "complete", only="stream"),
    Row(46, "a choice with index 7", WHOLE, ("east/choice-7", OK), "complete", only="stream"),
    Row(47, "tool arguments cut in mid-JSON", "one error event, nothing repaired", ("east/tool-cut", OK), "exactly", 0,
        only="stream", outcomes=("truncated",)),
    Row(48, "usage missing", WHOLE + ", counted as `no_usage`", ("east/no-usage", OK), "complete"),
    Row(48, "usage negative", WHOLE, ("east/odd-usage", OK), "complete"),
    falls(49, "keep-alive comments, nothing else", "east/comments-only", "first_token_timeout", only="stream",
          limit_ms=1100),
)  # fmt: skip
TABLE = (*CONNECTING, *BEFORE, *STREAM)

OWN = "tests/faults/test_special.py"
CLIENTS = "tests/faults/test_clients.py"
OPERATIONS = "tests/faults/test_operations.py"
STATE = "tests/faults/test_state.py"
VOICE = "tests/faults/test_voice.py"
NETWORK = "tests/faults/test_network.py"
PLATFORM = "tests/faults/test_platform.py"
GROUPS = "control groups of version 1, as root"
HOSTS = "network namespaces and a packet filter, which need root"
ELSEWHERE = (
    Row(2, "SYN black-hole", NEXT, proof=NETWORK, needs=HOSTS),
    Row(2, "10 % of the packets are lost", WHOLE + ", or one error event", proof=NETWORK, needs=HOSTS),
    Row(2, "30 % of the packets are lost", WHOLE + ", or one error event", proof=NETWORK, needs=HOSTS),
    Row(2, "a partition that heals in a stream", "nothing", proof=NETWORK, needs=HOSTS),
    Row(3, "unreachable, says the network", NEXT, proof=NETWORK, needs=HOSTS),
    Row(4, "NXDOMAIN", NEXT, proof=NETWORK, needs=HOSTS),
    Row(4, "SERVFAIL", NEXT, proof=NETWORK, needs=HOSTS),
    Row(5, "DNS hangs", NEXT + ", within the connect timer", proof=NETWORK, needs=HOSTS),
    Row(6, "first address dead, second alive", WHOLE, proof=NETWORK, needs=HOSTS),
    Row(7, "the name changes its address", "the next target's answers until it is looked up again", proof=NETWORK,
        needs=HOSTS),
    Row(10, "stale keep-alive connection", "nothing: replayed on a new connection", proof=OWN),
    Row(11, "no file descriptors left", "503 `router_overloaded`, well again afterwards", proof=OWN),
    Row(12, "provider's calls in flight at their limit", "a short queue, then 503", proof=OWN),
    Row(17, "an outage of everything", "503, no storm", proof=OWN),
    Row(37, "a half-open provider: the network is silent", CUT, proof=NETWORK, needs=HOSTS),
    Row(45, "10,000 chunks as fast as they go", WHOLE, proof=OWN),
    Row(50, "the client hangs up in the stream", "the upstream is cancelled within 100 ms", proof=CLIENTS),
    Row(51, "the client hangs up before the headers", "the same", proof=CLIENTS),
    Row(52, "10,000 cancels in the hand-over", "no slot, socket or task is left", proof=CLIENTS),
    Row(53, "a reader of 1 kB/s", "back-pressure: memory stays", proof=CLIENTS),
    Row(54, "half-open client (power loss)", "stream and voice session are given up within a minute", proof=NETWORK,
        needs=HOSTS),
    Row(55, "500 slow heads and 500 slow bodies", "408; others are served", proof=CLIENTS),
    Row(56, "a body of 100 MB", "413 at once", proof=CLIENTS),
    Row(57, "smuggling vectors", "refused, every one", proof=CLIENTS),
    Row(58, "pipelining, HEAD, OPTIONS, HTTP/1.0, Expect", "right answers", proof=CLIENTS),
    Row(59, "surrogates, NUL, NaN, huge integers, odd metadata", "400 with `param`, never 5xx", proof=CLIENTS),
    Row(60, "schema fuzz of the whole API", "no 5xx, answers conform", proof="tests/faults/test_api_fuzz.py"),
    Row(61, "the realtime upstream refuses, or closes with 1008 or 1011 in mid-session, and nobody is left",
        "the reply ends as failed, one `error`, a close with a mapped code; no silence, no success in the record",
        proof=VOICE),
    Row(61, "the realtime upstream dies in mid-session and another is there",
        "the reply ends as failed, an `error` says so, the session goes on where it was", proof=VOICE),
    Row(61, "nobody can give the reply of a voice session", "the response fails with its error; the session lives",
        proof=VOICE),
    Row(62, "the model dies before the first word of a spoken reply", "the fallback is heard", proof=VOICE),
    Row(63, "the ears die in an utterance", "every word: the backup hears it from the start", proof=VOICE),
    Row(64, "the voice dies in a sentence", "the rest in another voice, no word twice", proof=VOICE),
    Row(65, "the model stalls before the first word of a spoken reply", "the fallback is heard", proof=VOICE),
    Row(66, "speech over the reply", "the reply is cancelled, its provider too; `truncate` is exact", proof=VOICE),
    Row(67, "base64 garbage, odd bytes, 15 MiB + 1", "an `error` with the `event_id`; the session lives", proof=VOICE),
    Row(68, "WebSocket frames that break the protocol", "close code 1002, 1007 or 1009", proof=VOICE),
    Row(69, "100,000 fragments; compression", "1009; compression is not agreed on", proof=VOICE),
    Row(70, "clients that do not read while they are spoken to", "a bounded buffer; others go on", proof=VOICE),
    Row(71, "a foreign origin, no key, a wrong key", "401 or 403 before the upgrade", proof=VOICE),
    Row(72, "SIGTERM with 20 live calls", "every reply ends, then 1001; exit 0", proof=VOICE),
    Row(73, "SIGTERM under load", "no stream is cut, exit 0", proof=OPERATIONS),
    Row(74, "100 reloads under load, bad and half-written files", "no request fails; the old configuration stays",
        proof=OPERATIONS),
    Row(75, "Redis hangs, then forgets everything", "nothing: each node keeps the limits alone", proof=STATE,
        needs="redis-server"),
    Row(76, "the wall clock jumps by two hours", "nothing", proof=PLATFORM, needs="libfaketime"),
    *(
        Row(77, f"CPU starved, {times} times the load it can take", "what it can take is answered, the rest "
            "503 with Retry-After at once; health goes on", proof=PLATFORM, needs=GROUPS)
        for times in (2, 4, 8)
    ),
    *(
        Row(77, f"CPU starved, {callers} callers that ask again at once on kept connections", "what it can take is "
            "answered, a share of the rest 503 with Retry-After; health goes on", proof=PLATFORM, needs=GROUPS)
        for callers in (200, 600)
    ),
    Row(77, "300 callers on kept connections wait for a slow provider", "nothing", proof=PLATFORM),
    Row(77, "the event loop stands still for two seconds", "late answers or 503, then as ever", proof=PLATFORM),
    Row(77, "memory at its limit", "503 with Retry-After for chat; voice and health go on", proof=PLATFORM,
        needs=GROUPS),
    Row(78, "the disk of log and records is full", "nothing", proof=PLATFORM, needs="a mount of its own, as root"),
    Row(78, "nobody reads the log's pipe", "nothing", proof=PLATFORM),
    Row(78, "the OTLP collector hangs", "nothing", proof=PLATFORM),
    Row(78, "/metrics is scraped by fifty", "nothing", proof=PLATFORM),
)  # fmt: skip
EVERY = tuple(sorted((*TABLE, *ELSEWHERE), key=lambda row: row.number))


def row(number, words=""):
    """The one row with this number whose fault has these words in it."""
    [found] = [one for one in EVERY if one.number == number and words in one.fault]
    return found
