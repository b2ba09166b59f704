"""Credentials that open the door, and all those that do not."""

import base64
import hashlib
import json

import jwt
import pytest

from router import Refusal
from router.proxy import Key, OpenBindingError, check_binding
from router.proxy.auth import Authenticator
from router.proxy.secrets import SecretStore, lifetime_s
from router.proxy.tokens import ISSUER, Nonces, Tokens, parse_signed, sign

SECRET = b"s" * 32
KEY = Key("web", "secret-of-web", routers=("support*",))
NOW_S = 1_800_000_000.0


class Wall:
    now_s = NOW_S

    def __call__(self):
        return self.now_s


def authenticator(*keys, wall=None, origins=None):
    wall = wall or Wall()
    tokens, secrets = Tokens(SECRET, ttl_s=3600, wall=wall), SecretStore(wall)
    return Authenticator(keys, tokens=tokens, secrets=secrets, origins=origins)


PAIR = base64.b64encode(b"web:secret-of-web")


@pytest.mark.parametrize(
    "headers",
    [
        {b"authorization": b"Bearer secret-of-web"},
        {b"authorization": b"bearer  secret-of-web"},
        {b"authorization": b"Basic " + PAIR},
        {b"authorization": b"Bearer " + PAIR},
        {b"authorization": b"Basic " + PAIR.rstrip(b"=")},
        {b"x-api-key": b"secret-of-web"},
        {b"api-key": b"secret-of-web"},
    ],
)
def test_a_key_is_known_in_every_spelling(headers):
    principal = authenticator(KEY).authenticate(headers)
    assert (principal.tenant, principal.kind) == ("web", "key")


def test_sockets_may_bring_the_key_as_a_protocol_or_in_the_query():
    door = authenticator(KEY)
    assert door.authenticate({}, subprotocols=["realtime", "openai-insecure-api-key.secret-of-web"]).tenant == "web"
    assert door.authenticate({}, query=b"model=x&authorization=Bearer%20secret-of-web").tenant == "web"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b"Bearer"},
        {b"authorization": b"Bearer secret-of-we"},
        {b"authorization": b"Bearer secret-of-webb"},
        {b"authorization": b"Basic " + base64.b64encode(b"other:secret-of-web")},
        {b"authorization": b"Digest secret-of-web"},
        {b"authorization": b"Bearer " + b"x" * 9000},
        {b"authorization": b"Bearer ek_" + b"0" * 48},
        {b"authorization": b"Bearer \xff.\xfe.\xfd"},
    ],
)
def test_anything_else_is_401_and_never_says_which_part_was_wrong(headers):
    with pytest.raises(Refusal) as caught:
        authenticator(KEY).authenticate(headers)
    assert caught.value.status == 401
    assert "secret-of-web" not in caught.value.message


def test_a_router_without_keys_takes_any_key_and_none():
    door = authenticator()
    assert door.authenticate({}).kind == "open"
    assert door.authenticate({b"authorization": b"Bearer sk-anything"}).may_write
    assert door.authenticate({b"authorization": b"Bearer a.b.c"}).kind == "open"


def test_a_key_never_shows_its_secret():
    assert "secret-of-web" not in repr(KEY)


def test_routers_of_a_key_are_globs():
    principal = authenticator(KEY).authenticate({b"x-api-key": b"secret-of-web"})
    assert principal.may_route("support-eu")
    assert not principal.may_route("sales")
    assert not principal.may_write


def claims(**changes):
    usual = {"iss": ISSUER, "aud": ISSUER, "sub": "web", "exp": NOW_S + 60}
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def encode(payload, secret=SECRET, algorithm="HS256", **headers):
    return jwt.encode(payload, secret, algorithm=algorithm, headers=headers or None).encode()


def unsigned(payload):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    return part({"alg": "none", "typ": "JWT"}) + b"." + part(payload) + b"."


def test_an_issued_token_opens_the_door_with_its_keys_rights_until_it_ends():
    wall = Wall()
    door = authenticator(KEY, wall=wall)
    token, ends_s = door.tokens.issue("web", workspace="default")
    for _ in range(2):
        principal = door.authenticate({b"authorization": b"Bearer " + token.encode()})
        assert (principal.tenant, principal.kind, principal.may_write) == ("web", "token", False)
    wall.now_s = ends_s + 29
    assert door.authenticate({b"authorization": b"Bearer " + token.encode()}).tenant == "web"
    wall.now_s = ends_s + 31
    with pytest.raises(Refusal):
        door.authenticate({b"authorization": b"Bearer " + token.encode()})


@pytest.mark.parametrize(
    "token",
    [
        unsigned(claims()),
        encode(claims(), secret=b"x" * 32),
        encode(claims(), algorithm="HS512", secret=b"s" * 64),
        encode(claims(), crit=["exp"], exp=1),
        encode(claims(exp=None)),
        encode(claims(iss=None)),
        encode(claims(aud=None)),
        encode(claims(sub=None)),
        encode(claims(iss="other")),
        encode(claims(aud="other")),
        encode(claims(exp=NOW_S - 31)),
        encode(claims(nbf=NOW_S + 31)),
        encode(claims(exp="soon")),
        encode(claims(exp=[1])),
        encode(claims(sub="gone")),
        encode(claims(junk="x" * 9000)),
        encode(claims())[:-2],
        encode(claims()) + b"=",
        encode(claims()).replace(b".", b"..", 1),
        b"..",
        b"a.b.c",
        b"eyJ.eyJ.eyJ",
    ],
)
def test_tokens_that_do_not_open_the_door(token):
    with pytest.raises(Refusal) as caught:
        authenticator(KEY).authenticate({b"authorization": b"Bearer " + token})
    assert caught.value.status == 401


def test_a_short_jwt_secret_is_refused_at_the_start():
    with pytest.raises(ValueError, match="at least 32 bytes"):
        Tokens(b"short", ttl_s=1, wall=Wall())


def test_a_client_secret_lives_as_long_as_it_was_given():
    wall = Wall()
    door = authenticator(KEY, wall=wall)
    value, ends_s = door.secrets.issue("web", {"model": "m"}, ttl_s=60)
    assert ends_s == NOW_S + 60
    principal = door.authenticate({}, subprotocols=[f"openai-insecure-api-key.{value}"])
    assert (principal.kind, principal.session, principal.tenant) == ("client_secret", {"model": "m"}, "web")
    wall.now_s += 60
    with pytest.raises(Refusal):
        door.recognise(value.encode())


@pytest.mark.parametrize(
    ("after", "code", "field"),
    [
        (5, "invalid_type", ""),
        ({"seconds": 9}, "integer_below_min_value", ".seconds"),
        ({"seconds": 7201}, "integer_above_max_value", ".seconds"),
        ({"seconds": True}, "invalid_type", ".seconds"),
        ({"seconds": "60"}, "invalid_type", ".seconds"),
        ({"anchor": "x"}, "invalid_value", ".anchor"),
        ({"minutes": 1}, "unknown_parameter", ".minutes"),
    ],
)
def test_a_lifetime_out_of_bounds_is_refused_in_openais_words(after, code, field):
    with pytest.raises(Refusal) as caught:
        lifetime_s({"expires_after": after})
    assert (caught.value.code, caught.value.param) == (code, f"expires_after{field}")


def test_a_lifetime_nobody_states_is_ten_minutes():
    assert [lifetime_s(body) for body in ({}, {"expires_after": {}}, {"expires_after": {"seconds": None}})] == [600] * 3


def test_the_signature_is_the_chain_of_hmacs():
    """Computed once with openssl dgst -mac HMAC, step by step."""
    import hmac

    key = b"IW1secret"
    for part in (
        "20260102030405",
        "api-engine.inworld.ai",
        "ai.inworld.engine.WorldEngine/GenerateToken",
        "0123456789a",
    ):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, b"iw1_request", hashlib.sha256).hexdigest()
    assert sign("secret", date="20260102030405", nonce="0123456789a") == expected


def signed(date="20270115080000", nonce="abcdef01234", secret="secret-of-web"):
    signature = sign(secret, date=date, nonce=nonce)
    return parse_signed(f"IW1-HMAC-SHA256 ApiKey=web,DateTime={date},Nonce={nonce},Signature={signature}")


def test_a_signed_request_is_good_once():
    nonces = Nonces(Wall())
    nonces.check(signed(), "secret-of-web")
    with pytest.raises(Refusal, match="nonce") as caught:
        nonces.check(signed(), "secret-of-web")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "asked",
    [
        signed(secret="wrong"),
        signed(date="20270115080501"),
        signed(date="20270115075459"),
        signed(date="99999999999999"),
    ],
)
def test_a_wrong_signature_or_date_is_403(asked):
    with pytest.raises(Refusal) as caught:
        Nonces(Wall()).check(asked, "secret-of-web")
    assert caught.value.status == 403


@pytest.mark.parametrize("header", ["", "Bearer x", "IW1-HMAC-SHA256 ApiKey=a", "IW1-HMAC-SHA256 " + "x" * 10_000])
def test_a_header_of_another_form_is_401(header):
    with pytest.raises(Refusal) as caught:
        parse_signed(header)
    assert caught.value.status == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_open_on_loopback_is_allowed(host):
    assert check_binding((), host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_open_elsewhere_is_refused_unless_there_is_a_key(host):
    with pytest.raises(OpenBindingError, match="no API key"):
        check_binding((), host)
    assert check_binding((KEY,), host) is None


def test_far_too_many_client_secrets_are_refused_until_some_expire(monkeypatch):
    monkeypatch.setattr("router.proxy.secrets.MOST_SECRETS", 2)
    wall = Wall()
    store = SecretStore(wall)
    for _ in range(2):
        store.issue("web", {}, ttl_s=60)
    with pytest.raises(Refusal) as caught:
        store.issue("web", {}, ttl_s=60)
    assert caught.value.status == 429
    wall.now_s += 61
    assert store.issue("web", {}, ttl_s=60)[0].startswith("ek_")


def test_remembered_tokens_and_nonces_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("router.proxy.tokens.REMEMBERED", 2)
    wall = Wall()
    door, nonces = authenticator(KEY, wall=wall), Nonces(wall)
    for _ in range(4):
        door.recognise(door.tokens.issue("web", workspace="default")[0].encode())
    nonces.check(signed(), "secret-of-web")
    wall.now_s += 700
    nonces.check(signed(date="20270115081140", nonce="other"), "secret-of-web")
    assert len(door.tokens._verified) == 2
    assert len(nonces._seen) == 1


LOCAL = [b"http://localhost:8080", b"http://127.0.0.1:5173", b"https://[::1]", b"HTTP://LOCALHOST"]
FOREIGN = [
    b"https://evil.example",
    b"null",
    b"http://localhost.evil.example",
    b"http://127.0.0.1.evil.example",
    b"file://",
]


@pytest.mark.parametrize("origin", LOCAL)
def test_an_open_router_answers_pages_of_this_machine(origin):
    assert authenticator().authenticate({b"origin": origin, b"x-api-key": b"any"}).kind == "open"


@pytest.mark.parametrize("origin", FOREIGN)
def test_an_open_router_does_not_answer_other_pages(origin):
    for headers in ({b"origin": origin}, {b"origin": origin, b"authorization": b"Bearer any"}):
        with pytest.raises(Refusal) as caught:
            authenticator().authenticate(headers)
        assert (caught.value.status, caught.value.code) == (403, "origin_not_allowed")
    assert authenticator(KEY).authenticate({b"origin": origin, b"x-api-key": b"secret-of-web"}).tenant == "web"


def told(door, origin):
    """The code a page of this origin is refused with; None when it is not."""
    try:
        door.authenticate({b"origin": origin, b"host": b"router.example:8080", b"x-api-key": b"secret-of-web"})
    except Refusal as refusal:
        return refusal.status, refusal.code
    return None


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_listed_pages_and_our_own_may_call_and_no_others(keys):
    door = authenticator(*keys, origins=("https://app.example",))
    asked = [b"https://app.example", b"HTTPS://APP.EXAMPLE", b"http://router.example:8080"]
    asked += [b"https://app.example.evil.example", b"http://app.example", b"http://localhost:8080", b"null"]
    assert [told(door, origin) for origin in asked] == [None] * 3 + [(403, "origin_not_allowed")] * 4


def test_what_is_no_page_needs_no_origin():
    door = authenticator(KEY, origins=())
    assert door.authenticate({b"x-api-key": b"secret-of-web"}).tenant == "web"
