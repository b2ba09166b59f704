"""What must stay secret, put everywhere a caller can put it, looked for in all that the router writes or tells others.

Sinks: log, metrics, the records file, traces as a collector gets them, recent requests, readiness, error bodies, the
command line. The one place where keys and prompts belong is the provider's own log.
"""

import base64
import contextlib
import gzip
import http.server
import json
import os
import subprocess
import sys
import threading

import pytest
from websockets.sync.client import connect

from tests.faults.street import KEY, OTHER_KEY, PROVIDER_KEY, ROOT, Street

CANARIES = {
    place: f"canary-{place}-4c1d9e"
    for place in (
        "prompt", "system", "tool", "metadata", "metadata-key", "header", "cookie", "query", "path", "wrong-key",
        "byok", "broken-json", "form", "transcript", "instructions", "voice-item", "user-agent",
    )
}  # fmt: skip
SECRETS = {**CANARIES, "key": KEY, "provider key": PROVIDER_KEY, "other key": OTHER_KEY}
WAV = b"RIFF" + b"\x24\0\0\0" + b"WAVEfmt " + bytes(20) + b"data" + bytes(4)


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes what an OTLP exporter sends."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.taken.append(body + str(self.headers).encode())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def collector():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.taken = []
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def street(tmp_path_factory, collector):
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    with Street(tmp_path_factory.mktemp("canaries"), environment=environment) as street:
        street.witness.unheard = True  # these clients speak for themselves
        yield street


@pytest.fixture(scope="module")
def answers(street):
    """Every kind of request, good and bad, with canaries in all its parts; the bodies of errors that came back."""
    return [*asked(street), *voice(street)]


def document(model, *, stream=False):
    said, told = CANARIES["prompt"], CANARIES["system"]
    tool = {"type": "function", "function": {"name": "f", "description": CANARIES["tool"], "parameters": {}}}
    return {
        "model": model,
        "messages": [{"role": "system", "content": told}, {"role": "user", "content": said}],
        "tools": [tool],
        "metadata": {"tier": CANARIES["metadata"], CANARIES["metadata-key"]: "x"},
        "stream": stream,
    }


def as_response(chat):
    tools = [{"type": "function", **tool["function"]} for tool in chat["tools"]]
    told, said = (message["content"] for message in chat["messages"])
    return {name: chat[name] for name in ("model", "metadata", "stream")} | {
        "instructions": told, "input": said, "tools": tools, CANARIES["metadata-key"]: 1,
    }  # fmt: skip


def as_message(chat):
    tools = [{"name": tool["function"]["name"], "description": CANARIES["tool"]} for tool in chat["tools"]]
    told, said = chat["messages"]
    return {**chat, "max_tokens": 99, "system": told["content"], "messages": [said], "tools": tools}


def asked(street):
    headers = {
        "x-secret": CANARIES["header"],
        "cookie": f"session={CANARIES['cookie']}",
        "user-agent": CANARIES["user-agent"],
    }
    query = f"/v1/chat/completions?token={CANARIES['query']}"
    client, errors = street.client, []
    for model in ("east/ok@leak", "east/500@leak", "east/400@leak", "east/auth@leak", "refused/x", "nowhere/x"):
        for stream in (False, True):
            body = {**document(model, stream=stream), "models": []}
            errors.append(client.post(query, json=body, headers=headers))
    for path, translated in (("/v1/responses", as_response), ("/v1/messages", as_message)):
        for model in ("east/ok@leak", "east/500@leak", "router/split", "nowhere/x"):
            for stream in (False, True):
                errors.append(client.post(path, json=translated(document(model, stream=stream)), headers=headers))
        errors.append(client.post(path, json=document("east/ok@leak"), headers=headers))
    errors.append(client.post("/v1/chat/completions", json=document("router/split"), headers=headers))
    byok = {**document("east/auth@leak"), "extra_body": {"credentials": {"east": CANARIES["byok"]}}}
    errors.append(client.post("/v1/chat/completions", json=byok))
    errors.append(client.get(f"/v1/{CANARIES['path']}", headers=headers))
    wrong = {"authorization": f"Bearer {CANARIES['wrong-key']}"}
    errors.append(client.post("/v1/chat/completions", json=document("east/ok"), headers=wrong))
    broken = f'{{"model": "east/ok", "messages": "{CANARIES["broken-json"]}'.encode()
    errors.append(client.post("/v1/chat/completions", content=broken, headers={"content-type": "application/json"}))
    form = {"model": "east/ok@leak", "prompt": CANARIES["form"]}
    for model in ("east/ok@leak", "east/500@leak"):
        wav = {"file": (f"{CANARIES['transcript']}.wav", WAV, "audio/wav")}
        errors.append(client.post("/v1/audio/transcriptions", data={**form, "model": model}, files=wav))
    return [reply.text for reply in errors if reply.status_code >= 400]


def voice(street):
    """A session with secrets in its set-up, its items and its audio."""
    url = f"ws://127.0.0.1:{street.port}/v1/realtime?model=east/500@leak"
    protocols = ["realtime", f"openai-insecure-api-key.{KEY}"]
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": CANARIES["voice-item"]}]}
    audio = base64.b64encode(CANARIES["transcript"].encode() * 2).decode()
    events = [
        {"type": "session.update", "session": {"type": "realtime", "instructions": CANARIES["instructions"]}},
        {"type": "input_audio_buffer.append", "audio": audio},
        {"type": "conversation.item.create", "item": item},
        {"type": "response.create", "response": {"output_modalities": ["text"]}},
    ]
    errors = []
    with connect(url, subprotocols=protocols, proxy=None) as socket:
        for event in events:
            socket.send(json.dumps(event))
        while (event := json.loads(socket.recv(10)))["type"] != "response.done":
            errors += [json.dumps(event)] if event["type"] == "error" else []
    errors.append(json.dumps(event["response"].get("status_details")))
    with contextlib.suppress(Exception), connect(f"{url}&authorization={CANARIES['wrong-key']}", proxy=None) as socket:
        errors.append(str(socket.recv(5)))
    return errors


def assert_clean(sink, content, *, but=()):
    told = content if isinstance(content, bytes) else content.encode()
    forms = [(name, form) for name, secret in SECRETS.items() if name not in but for form in spellings(secret)]
    assert [name for name, form in forms if form in told] == [], sink


def spellings(secret):
    """As it is, in base64, in hex."""
    raw = secret.encode()
    return raw, base64.b64encode(raw)[:-4], raw.hex().encode()


def test_the_provider_got_what_was_for_it_so_the_canaries_did_fly(street, answers):
    seen = str([(seen.document, seen.headers) for seen in street.journal("leak")])
    assert all(CANARIES[place] in seen for place in ("prompt", "system", "tool", "instructions", "voice-item"))
    assert PROVIDER_KEY in seen
    assert len(answers) > 15


def test_errors_tell_callers_nothing_that_is_secret(answers):
    for body in answers:
        assert_clean(body[:300], body, but=("path",))


def test_log_metrics_recent_requests_and_readiness_hold_no_secret(street, answers):
    assert answers
    street.until(lambda: street.stderr.read_text().count("east/500@leak") >= 4, 5)
    assert_clean("log", street.stderr.read_bytes(), but=("path",))  # an address that nobody serves is told
    for path in ("/metrics", "/v1/router/requests?limit=1000", "/readyz", "/version", "/v1/models"):
        reply = street.client.get(path)
        assert reply.status_code == 200
        assert_clean(path, reply.content)


def test_the_records_file_holds_no_secret(street, answers):
    assert answers

    def written():
        return b"".join(path.read_bytes() for path in street.folder.glob("records.db*"))

    street.until(lambda: b"500@leak" in written(), 5)
    assert_clean("records", written())


def test_traces_hold_no_secret(street, collector, answers):
    assert answers
    street.until(lambda: b"500@leak" in b"".join(collector.taken), 10)
    assert_clean("traces", b"".join(collector.taken))


@pytest.mark.parametrize("words", [("chat", CANARIES["prompt"]), ("tail",), ("health",)], ids=lambda words: words[0])
def test_the_command_line_shows_no_key_when_nobody_answers(words):
    environment = {**os.environ, "RR_API_KEY": KEY, "PYTHONPATH": str(ROOT)}
    flags = {"chat": ("--url", "http://127.0.0.1:9/v1"), "tail": ("--url", "http://127.0.0.1:9"),
             "health": ("--url", "http://127.0.0.1:9")}  # fmt: skip
    command = [sys.executable, "-m", "realtime", *words, *flags[words[0]]]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60)
    assert done.returncode != 0
    assert_clean(words[0], done.stdout + done.stderr)


def test_what_is_looked_for_is_found_where_it_is():
    with pytest.raises(AssertionError):
        assert_clean("a leak", b"x " + base64.b64encode(CANARIES["form"].encode()))
    with pytest.raises(AssertionError):
        assert_clean("a leak", CANARIES["query"])
