"""The control plane: saved routers, operations, tokens, client secrets, pages."""

import datetime as dt

import pytest

from policies import PolicyError
from router.config import ConfigError, Finding
from router.proxy import Access, Key, MemoryShelf
from router.proxy.tokens import sign

from .stand_in import chat, door

READER, WRITER = Key("web", "secret-web", routers=("support*",)), Key("ops", "secret-ops", write=True)
READ, WRITE = {"x-api-key": "secret-web"}, {"x-api-key": "secret-ops"}
VARIANT = {"variant": {"variant_id": "v1", "model_id": "demo/fast"}, "weight": 100}
ROUTER = {"name": "support", "displayName": "Support", "defaultRoute": {"route_id": "default", "variants": [VARIANT]}}


def shelf():
    applied = []

    def apply(routers):
        for router in routers.values():
            if any("bad cel" in (route.when or "") for route in router.routes):
                raise PolicyError(("routes", 0, "when"), "cannot compile")
            if router.default and sum(variant.weight for variant in router.default.variants) != 100:
                raise ConfigError([Finding("router", "must sum to 100", path="default.variants")])
        applied.append(dict(routers))

    made = MemoryShelf({}, apply)
    made.applied = applied
    return made


def plane(**options):
    return door(access=Access(keys=(READER, WRITER)), **options)


async def test_a_router_is_made_read_changed_and_taken_away():
    standing = shelf()
    async with plane(shelf=standing) as client:
        made = await client.post("/router/v1/routers", json=ROUTER, headers=WRITE)
        operation = made.json()
        polled = await client.get(f"/lro/v1alpha/{operation['name'].replace('/', '%2F')}", headers=WRITE)
        read = await client.get("/router/v1/routers/support", headers=READ)
        mask = {"update_mask": "display_name"}
        body = {"displayName": "Help", "defaultRoute": None}
        changed = await client.patch("/router/v1/routers/inworld/support", params=mask, json=body, headers=WRITE)
        gone = await client.delete("/router/v1/routers/support", headers=WRITE)
        after = await client.get("/router/v1/routers/support", headers=WRITE)
    assert (operation["done"], operation["response"]["name"]) == (True, "support")
    assert polled.json() == operation
    assert read.json()["defaultRoute"]["variants"] == [VARIANT]
    assert '"weight":100' in read.text
    assert '"weight":100.0' not in read.text
    assert {"createTime", "updateTime", "etag"} <= read.json().keys()
    assert changed.json()["response"]["displayName"] == "Help"
    assert changed.json()["response"]["defaultRoute"]["route_id"] == "default"
    assert (gone.status_code, gone.json()) == (200, {})
    assert after.status_code == 404
    assert [sorted(routers) for routers in standing.applied] == [["support"], ["support"], []]


async def test_errors_speak_openais_and_grpcs_language():
    async with plane(shelf=shelf()) as client:
        answer = await client.get("/router/v1/routers/support", headers=READ)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "router_not_found"
    assert answer.json()["code"] == 5
    assert answer.json()["details"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "Bad Name"}, "invalid_name"),
        ({"name": "models"}, "invalid_name"),
        ({"name": 5}, "invalid_name"),
        ({"defaultRoute": {"route_id": "d", "variants": [{**VARIANT, "weight": 99}]}}, "invalid_router"),
        ({"defaultRoute": 5}, "invalid_router"),
        ({"surprise": 1}, "invalid_router"),
        ({"routes": [{"condition": {"cel_expression": "bad cel"}, "route": ROUTER["defaultRoute"]}]}, None),
        ({"routes": [ROUTER["defaultRoute"]] * 101}, "too_large"),
        ({"routes": [{"route": {"variants": [VARIANT] * 51}}]}, "too_large"),
    ],
)
async def test_a_bad_router_is_400_and_changes_nothing(change, code):
    standing = shelf()
    async with plane(shelf=standing) as client:
        answer = await client.post("/router/v1/routers", json={**ROUTER, **change}, headers=WRITE)
    assert answer.status_code == 400
    assert code is None or answer.json()["error"]["code"] == code
    assert not standing.routers()


async def test_bad_cel_names_its_place():
    route = {"route_id": "r1", "variants": [VARIANT]}
    routes = [{"condition": {"cel_expression": "bad cel"}, "route": route}]
    async with plane(shelf=shelf()) as client:
        answer = await client.post("/router/v1/routers", json={**ROUTER, "routes": routes}, headers=WRITE)
    assert answer.json()["error"]["code"] == "invalid_cel"
    assert answer.json()["error"]["param"] == "routes[0].when"


async def test_conflicts_and_masks_are_refused_clearly():
    async with plane(shelf=shelf()) as client:
        await client.post("/router/v1/routers", json=ROUTER, headers=WRITE)
        twice = await client.post("/router/v1/routers", json=ROUTER, headers=WRITE)
        url = "/router/v1/routers/support"
        nested = await client.patch(url, params={"update_mask": "routes.route"}, json={}, headers=WRITE)
        stale = await client.patch(url, json={"displayName": "x"}, headers=WRITE | {"if-match": '"old"'})
        renamed = await client.patch(url, json={"name": "other"}, headers=WRITE)
        malformed = await client.patch(url, content=b"{", headers=WRITE)
        unmasked = await client.patch(url, json={"display_name": "y"}, headers=WRITE)
    assert (twice.status_code, nested.status_code, stale.status_code, renamed.status_code) == (409, 400, 412, 400)
    assert "displayName" in nested.json()["error"]["message"]
    assert malformed.status_code == 400
    assert unmasked.json()["response"]["displayName"] == "y"


async def test_only_keys_that_write_may_change_and_each_sees_its_own():
    async with plane(shelf=shelf()) as client:
        forbidden = await client.post("/router/v1/routers", json=ROUTER, headers=READ)
        nobody = await client.get("/router/v1/routers")
        for name in ("support", "support-eu", "sales"):
            await client.post("/router/v1/routers", json={**ROUTER, "name": name}, headers=WRITE)
        seen = await client.get("/router/v1/routers", headers=READ)
        page = await client.get("/router/v1/routers", params={"page_size": 2}, headers=WRITE)
        token = page.json()["nextPageToken"]
        rest = await client.get("/router/v1/routers", params={"page_size": 2, "pageToken": token}, headers=WRITE)
        hidden = await client.get("/router/v1/routers/sales", headers=READ)
        wrong = await client.get("/router/v1/routers", params={"page_size": "many"}, headers=WRITE)
    assert (forbidden.status_code, nobody.status_code, hidden.status_code, wrong.status_code) == (403, 401, 404, 400)
    assert [router["name"] for router in seen.json()["routers"]] == ["support", "support-eu"]
    assert [router["name"] for router in page.json()["routers"] + rest.json()["routers"]] == [
        "sales",
        "support",
        "support-eu",
    ]
    assert "nextPageToken" not in rest.json()


async def test_an_omitted_name_comes_from_the_display_name():
    async with plane(shelf=shelf()) as client:
        named = await client.post(
            "/router/v1/routers", json={**ROUTER, "name": None, "displayName": "Été 24!"}, headers=WRITE
        )
    assert named.json()["response"]["name"] == "t-24"


async def test_without_a_shelf_saving_says_so():
    async with plane() as client:
        answer = await client.post("/router/v1/routers", json=ROUTER, headers=WRITE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_supported")


async def test_an_oversized_control_body_is_413():
    async with plane(shelf=shelf()) as client:
        answer = await client.post("/router/v1/routers", content=b"x" * 5_000_000, headers=WRITE)
    assert answer.status_code == 413


def authorization(secret="secret-web", key="web", nonce="0123456789a"):
    date = dt.datetime.now(dt.UTC).strftime("%Y%m%d%H%M%S")
    signature = sign(secret, date=date, nonce=nonce)
    return {"authorization": f"IW1-HMAC-SHA256 ApiKey={key},DateTime={date},Nonce={nonce},Signature={signature}"}


URL = "/auth/v1/tokens/token:generate"
NEWER_URL = "/v1/sessionTokens/token:generate"


async def test_a_signed_request_mints_a_token_that_opens_the_chat():
    async with plane() as client:
        minted = await client.post(URL, json={"key": "web", "resources": []}, headers=authorization())
        again = await client.post(URL, json={"key": "web"}, headers=authorization())
        newer = await client.post(NEWER_URL, json={"key": "web"}, headers=authorization(nonce="0123456789b"))
        bearer = {"authorization": f"Bearer {minted.json()['token']}"}
        answer = await client.post("/v1/chat/completions", json=chat(), headers=bearer)
        forced = await client.post("/v1/chat/completions", json=chat(), headers=bearer | {"x-rr-variant": "b"})
    assert minted.json().keys() == {"token", "type", "expirationTime", "sessionId"}
    assert minted.json()["sessionId"].startswith("default:")
    assert minted.json()["expirationTime"].endswith("Z")
    assert (again.status_code, newer.status_code) == (403, 200)
    assert (answer.status_code, forced.status_code) == (200, 403)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (dict, {}, 401),
        (lambda: {"authorization": "Bearer secret-web"}, {}, 401),
        (lambda: authorization(secret="wrong"), {"key": "web"}, 403),
        (lambda: authorization(key="nobody"), {"key": "nobody"}, 403),
        (authorization, {"key": "ops"}, 403),
        (authorization, {"resources": ["workspaces/foreign"]}, 403),
        (authorization, {"resources": "x"}, 400),
    ],
)
async def test_requests_for_a_token_that_get_none(headers, body, status):
    async with plane() as client:
        answer = await client.post(URL, json=body, headers=headers())
    assert answer.status_code == status
    assert "secret-web" not in answer.text


async def test_client_secrets_in_both_shapes():
    async with plane() as client:
        session = {"type": "realtime", "model": "gpt-realtime"}
        body = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": session}
        ga = await client.post("/v1/realtime/client_secrets", json=body, headers=READ)
        empty = await client.post("/v1/realtime/client_secrets", headers=READ)
        beta = await client.post("/v1/realtime/sessions", json={"model": "m", "voice": "alloy"}, headers=READ)
        heard = await client.post("/v1/realtime/transcription_sessions", json={}, headers=READ)
        value = ga.json()["value"]
        bound = client.app.site.authenticator.recognise(value.encode())
        minting = await client.post("/v1/realtime/client_secrets", headers={"authorization": f"Bearer {value}"})
    assert value.startswith("ek_")
    assert ga.json()["session"]["object"] == "realtime.session"
    assert ga.json()["session"]["id"].startswith("sess_")
    assert bound.session["model"] == "gpt-realtime"
    assert bound.tenant == "web"
    assert empty.json()["session"]["type"] == "realtime"
    assert (beta.json()["voice"], beta.json()["client_secret"]["value"][:3]) == ("alloy", "ek_")
    assert heard.json()["object"] == "realtime.transcription_session"
    assert minting.status_code == 403


@pytest.mark.parametrize(
    "body", [{"session": 5}, {"session": {"type": "x"}}, {"expires_after": {"seconds": 1}}, {"expires_at": 1}]
)
async def test_bad_requests_for_a_client_secret_are_400(body):
    async with plane() as client:
        answer = await client.post("/v1/realtime/client_secrets", json=body, headers=READ)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_the_pages_describe_hot_paths_too():
    async with plane() as client:
        schema = (await client.get("/openapi.json")).json()
        page = await client.get("/docs")
    assert {"/v1/chat/completions", "/metrics", "/router/v1/routers", URL} <= schema["paths"].keys()
    assert schema["components"]["schemas"]["ChatCompletionRequest"]["required"] == ["model", "messages"]
    assert f"curl {client.base_url}/v1/chat/completions" in page.text
    assert "prompt_variables" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_unknown_paths_and_methods_of_the_plane_are_in_the_envelope():
    async with plane(shelf=shelf()) as client:
        unknown = await client.get("/router/v1/nowhere", headers=WRITE)
        method = await client.put("/router/v1/routers/support", headers=WRITE)
        operation = await client.get("/lro/v1alpha/none", headers=WRITE)
    assert (unknown.status_code, method.status_code, operation.status_code) == (404, 405, 404)
    assert unknown.json()["error"]["code"] == "unknown_url"
    assert "allow" in method.headers


async def test_a_defect_behind_the_plane_says_nothing_internal():
    standing = shelf()

    def broken():
        raise ZeroDivisionError("secret detail")

    standing.routers = broken
    async with plane(shelf=standing) as client:
        answer = await client.get("/router/v1/routers", headers=WRITE | {"x-request-id": "id-9"})
    assert answer.status_code == 500
    assert "id-9" in answer.json()["error"]["message"]
    assert "secret detail" not in answer.text


async def test_an_operation_of_a_router_outside_the_scope_is_404():
    async with plane(shelf=shelf()) as client:
        made = await client.post("/router/v1/routers", json={**ROUTER, "name": "sales"}, headers=WRITE)
        seen = await client.get(f"/lro/v1alpha/{made.json()['name']}", headers=READ)
    assert seen.status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/livez"])
async def test_head_is_get_without_a_body(path):
    async with door() as client:
        got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
