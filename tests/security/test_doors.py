"""Who may do what: every key at every route, pages of other origins, tokens that are not what they seem, headers."""

import base64
import hashlib
import hmac
import json
import re
import socket
import time

import pytest

from router.proxy.tokens import Tokens
from tests.faults.raw import ask
from tests.faults.street import KEY, OTHER_KEY, PROMPT, PROVIDER_KEY, Street

WRITER = "sk-canary-writer-55aa"
SECRET = "s" * 40
SIGNING = SECRET.encode()
MINE = {"model": "router/split", "messages": [{"role": "user", "content": "hi"}]}
SAID = {"model": "router/split", "input": "hi"}
NEW = {"name": "routers/mine", "defaultRoute": {"route_id": "d", "variants": [
    {"weight": 100, "variant": {"variant_id": "v", "model_id": "east/ok"}}]}}  # fmt: skip


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    import tests.faults.street as streets

    before = streets.CONFIG
    streets.CONFIG = before.replace(
        "providers:\n",
        f"    - {{{{id: writer, secret: {WRITER}, write: true}}}}\n  jwt: {{{{secret: {SECRET}}}}}\nproviders:\n",
    )
    try:
        with Street(tmp_path_factory.mktemp("doors")) as street:
            street.witness.unheard = True  # these clients speak for themselves
            yield street
    finally:
        streets.CONFIG = before


def call(street, key, method, path, *rest):
    body, headers = (*rest, None, None)[:2]
    credentials = {"authorization": f"Bearer {key}"} if key else {"authorization": ""}
    return street.client.request(method, path, json=body, headers={**credentials, **(headers or {})})


#  route, body, status for: nobody, a wrong key, a key of one router, an ordinary key, a writer
MATRIX = [
    ("GET", "/livez", None, (200, 200, 200, 200, 200)),
    ("GET", "/v1/models", None, (401, 401, 200, 200, 200)),
    ("POST", "/v1/chat/completions", MINE, (401, 401, 404, 200, 200)),
    ("POST", "/v1/responses", SAID, (401, 401, 404, 200, 200)),
    ("GET", "/v1/responses/resp_1", None, (401, 401, 404, 404, 404)),
    ("POST", "/v1/messages", MINE | {"max_tokens": 99}, (401, 401, 404, 200, 200)),
    ("POST", "/v1/messages/count_tokens", MINE, (401, 401, 404, 200, 200)),
    ("POST", "/v1/router/explain", MINE, (401, 401, 404, 200, 200)),
    ("GET", "/v1/router/requests", None, (401, 401, 200, 200, 200)),
    ("GET", "/router/v1/routers", None, (401, 401, 200, 200, 200)),
    ("GET", "/router/v1/routers/split", None, (401, 401, 404, 200, 200)),
    ("POST", "/router/v1/routers", NEW, (401, 401, 403, 403, 200)),
    ("PATCH", "/router/v1/routers/mine", NEW, (401, 401, 404, 403, 200)),
    ("DELETE", "/router/v1/routers/mine", None, (401, 401, 404, 403, 200)),
    ("POST", "/v1/realtime/client_secrets", {"session": {"type": "realtime"}}, (401, 401, 200, 200, 200)),
]


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} {row[1]}")
def test_every_key_at_every_route(street, row):
    method, path, body, expected = row
    keys = ("", "sk-wrong-key-000000", OTHER_KEY, KEY, WRITER)
    got = tuple(call(street, key, method, path, body).status_code for key in keys)
    assert got == expected


def test_records_of_others_are_not_there(street):
    told = ask(street, "east/ok@mine", stream=False)
    wanted = told.headers["x-request-id"]
    path = f"/v1/router/requests/{wanted}"
    street.until(lambda: call(street, KEY, "GET", path).status_code == 200)
    assert [call(street, key, "GET", path).status_code for key in (OTHER_KEY, WRITER)] == [404, 404]
    assert wanted not in call(street, OTHER_KEY, "GET", "/v1/router/requests").text


def test_forcing_a_variant_is_for_writers(street):
    forced = {"x-rr-variant": "a"}
    statuses = [call(street, key, "POST", "/v1/chat/completions", MINE, forced).status_code for key in (KEY, WRITER)]
    assert statuses == [403, 200]


def upgraded(street, *headers, path="/v1/realtime?model=east/ok"):
    """The status line and the first bytes that follow an upgrade."""
    with socket.create_connection(("127.0.0.1", street.port), timeout=5) as sock:
        lines = [f"GET {path} HTTP/1.1", "host: x", "upgrade: websocket", "connection: upgrade",
                 "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version: 13", *headers]  # fmt: skip
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        sock.settimeout(1.0)
        seen = b""
        try:
            while b"session.created" not in seen and b'"error"' not in seen:
                piece = sock.recv(65536)
                if not piece:
                    break
                seen += piece
        except TimeoutError:
            pass
        return seen


@pytest.mark.parametrize(
    "headers",
    [
        ("origin: https://evil.example", f"cookie: token={KEY}"),
        ("origin: https://evil.example", f"cookie: authorization=Bearer {KEY}"),
        ("origin: null",),
        (),
        ("authorization: Bearer sk-wrong-key-000000",),
        ("sec-websocket-protocol: realtime, openai-insecure-api-key.sk-wrong",),
    ],
)
def test_a_page_with_cookies_or_a_stranger_opens_no_session(street, headers):
    """Cookies are no credentials here, so a page of another origin has nothing to ride on."""
    before = len(street.server.journal.seen)
    seen = upgraded(street, *headers)
    assert b"session.created" not in seen
    assert b'"error"' in seen or b" 401 " in seen or b" 403 " in seen
    assert KEY.encode() not in seen
    assert len(street.server.journal.seen) == before


def test_a_key_as_a_protocol_opens_a_session_and_is_not_echoed(street):
    seen = upgraded(street, f"sec-websocket-protocol: realtime, openai-insecure-api-key.{KEY}")
    assert b"session.created" in seen
    assert KEY.encode() not in seen


def part(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")


def signed(head, claims, *, secret=SIGNING, digest=hashlib.sha256):
    text = part(head) + b"." + part(claims)
    return (text + b"." + base64.urlsafe_b64encode(hmac.new(secret, text, digest).digest()).rstrip(b"=")).decode()


def attacks(good):
    """Tokens made from a good one: none may open the door."""
    head, claims = (json.loads(base64.urlsafe_b64decode(x + "==")) for x in good.split(".")[:2])
    body, signature = good.rsplit(".", 1)
    none = [
        f"{part({**head, 'alg': alg}).decode()}.{good.split('.')[1]}." for alg in ("none", "None", "NONE", "nOnE", "")
    ]
    return [
        *none,
        f"{none[0]}{signature}",
        signed({**head, "alg": "RS256"}, claims),
        signed({**head, "alg": "ES256"}, claims),
        signed({**head, "alg": "HS384"}, claims, digest=hashlib.sha384),
        signed({**head, "alg": "HS512"}, claims, digest=hashlib.sha512),
        signed(head, claims, secret=b""),
        signed(head, claims, secret=b"secret"),
        signed({**head, "crit": ["b64"], "b64": False}, claims),
        signed({**head, "crit": ["exp"]}, {**claims, "exp": 1}),
        signed({**head, "kid": "../../../../dev/null"}, claims, secret=b""),
        signed({**head, "kid": "x' UNION SELECT 'k"}, claims, secret=b"k"),
        signed({**head, "jku": "http://127.0.0.1:1/jwks.json"}, claims, secret=b"k"),
        signed({**head, "jwk": {"kty": "oct", "k": "aw"}}, claims, secret=b"k"),
        signed({**head, "x5u": "http://127.0.0.1:1/x"}, claims, secret=b"k"),
        signed(head, {**claims, "exp": int(time.time()) - 3600}),
        signed(head, {**claims, "exp": "9999999999999"}),
        signed(head, {k: v for k, v in claims.items() if k != "exp"}),
        signed(head, {**claims, "nbf": int(time.time()) + 3600}),
        signed(head, {**claims, "aud": "someone-else"}),
        signed(head, {**claims, "iss": "someone-else"}),
        signed(head, {**claims, "sub": "nobody"}),
        signed(head, {**claims, "junk": "x" * 9000}),
        body,
        good[:-4],
        good + ".x.y",
    ]


def test_no_forged_token_opens_the_door(street):
    good = Tokens(SECRET.encode(), ttl_s=600, wall=time.time).issue("web", workspace="default")[0]
    assert call(street, good, "GET", "/v1/models").status_code == 200
    forged = attacks(good)
    assert len(forged) >= 25
    opened = [token[:60] for token in forged if call(street, token, "GET", "/v1/models").status_code != 401]
    assert opened == []


def test_only_known_headers_reach_a_provider_and_only_ours_come_back(street):
    hostile = {
        "x-forwarded-for": "1.2.3.4",
        "openai-organization": "org-evil",
        "cookie": "a=b",
        "x-secret": "canary-header",
        "idempotency-key": "idem-1",
        "proxy-authorization": "Basic eA==",
    }
    told = ask(street, "east/ok@head", stream=False, headers=hostile)
    assert told.status == 200
    sent = street.journal("head")[0].headers
    assert set(sent) <= {
        "host", "accept-encoding", "user-agent", "content-type", "content-length", "authorization", "idempotency-key",
        "traceparent", "tracestate", "baggage", "accept", "openai-beta",
    }  # fmt: skip
    assert sent["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert not [name for name in told.headers if name in ("server", "set-cookie", "x-powered-by")]


def test_routing_keys_cannot_send_our_key_elsewhere(street):
    elsewhere = f"http://127.0.0.1:{street.tls_port}/v1"
    for field in ("api_base", "base_url", "extra_body", "api_key", "custom_host", "extra_headers"):
        value = {"base_url": elsewhere} if field.startswith("extra") else elsewhere
        told = ask(street, "east/ok@ssrf", stream=False, **{field: value})
        assert told.status in (200, 400)
    assert street.tls_bytes == []


@pytest.mark.parametrize(
    "poison", ["a\r\nERROR forged", "\x1b[2Jcleared", "x" * 5000, "\u202eevil", '"}\n{"level":"error"']
)
def test_nothing_a_client_says_forges_a_log_line(street, poison):
    ask(street, f"east/ok@{poison}", stream=False, user=poison, metadata={"k": poison[:500]})
    time.sleep(0.05)
    for line in street.stderr.read_text().splitlines():
        document = json.loads(line)
        assert max((len(str(value)) for value in document.values()), default=0) < 3000
    assert "\x1b" not in street.stderr.read_text()
    assert PROMPT not in street.stderr.read_text()


def test_random_names_add_no_series(street):
    ask(street, "east/ok@series", stream=False)
    before = len(street.metrics())
    for number in range(200):
        ask(street, f"east/404@n{number}", f"unknown-{number}/x", stream=False, user=f"u{number}")
        street.client.get(f"/nowhere/{number}")
        street.client.request(f"M{number}", "/v1/models")
    assert len(street.metrics()) - before <= 60
    after = len(street.metrics())
    for number in range(200, 300):
        ask(street, f"east/404@n{number}", stream=False)
    assert len(street.metrics()) == after


PUBLIC = {"/livez", "/readyz", "/version", "/metrics", "/health", "/healthz"}


def operations(street):
    """Every method and path of the OpenAPI document, its parameters filled in."""
    paths = street.client.get("/openapi.json").json()["paths"]
    verbs = ("get", "post", "put", "patch", "delete")
    return [
        (verb.upper(), re.sub(r"\{[^}]+\}", "x", path))
        for path, item in paths.items()
        for verb in verbs
        if verb in item
    ]


def test_every_documented_address_wants_a_key_before_anything_else(street):
    asked = [one for one in operations(street) if one[1] not in PUBLIC]
    assert len(asked) > 15
    for key in ("", "sk-wrong-key-000000"):
        answers = {one: call(street, key, *one).status_code for one in asked}
        assert {one: status for one, status in answers.items() if status != 401} == {}


def test_every_documented_change_of_a_router_wants_a_write_key(street):
    changes = [one for one in operations(street) if one[0] != "GET" and "/v1/routers" in one[1]]
    assert len(changes) >= 3
    assert {call(street, KEY, *one, NEW).status_code for one in changes} == {403}
