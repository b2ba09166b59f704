"""docs/api.md names every address that is served, and none that is not; and tells the truth about keys."""

import re
from pathlib import Path

import httpx
import pytest

from realtime.addresses import INWORLD_PATHS, OPENAI_PATHS
from realtime.app import build
from router.config import load

PAGE = Path(__file__).parent.parent / "docs" / "api.md"
ROW = re.compile(
    r"^\| `(?P<path>/[^`]*)` \| (?P<method>[A-Z]+|WebSocket) \| [^|]+ \| (?P<auth>[^|]+) \|$", re.MULTILINE
)
ROWS = {(m["method"], m["path"]): m["auth"].strip() for m in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
NAMES = {"/v1/models/": "id", "/v1/responses/": "id", "/v1/router/requests/": "id", "/playground/": "file"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "server.yaml"
    path.write_text(
        "version: 1\nproviders: {demo: null, local: null}\nrecords: {url: null}\n"
        "auth: {keys: [{id: web, secret: only-for-this-test}]}\n"
    )
    return build(load(path, {}), {})


async def asked(house, method, path):
    transport = httpx.ASGITransport(app=house.app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        return await client.request(method, path.replace("{", "").replace("}", ""))


async def test_every_address_is_on_the_page(house):
    table = house.app.asgi._table
    served = {(method, path) for path, methods in table.exact.items() for method in methods}
    served |= {(m, f"{path}{{{NAMES.get(path, 'x')}}}") for path, methods in table.prefixes.items() for m in methods}
    served -= {("GET", path) for path in OPENAI_PATHS + INWORLD_PATHS}  # only says that it is a WebSocket
    served |= {("WebSocket", path) for path in OPENAI_PATHS + INWORLD_PATHS}
    described = (await asked(house, "GET", "/openapi.json")).json()["paths"]
    served |= {(method.upper(), path) for path, methods in described.items() for method in methods}
    served |= {("GET", "/docs"), ("GET", "/openapi.json")}
    bare = {(method, path) for method, path in served if (method, f"/v1{path}") in served}
    bare |= {("GET", "/models/{x}")}
    assert served - bare - {("WebSocket", "/realtime")} - ROWS.keys() == set()
    assert ROWS.keys() - served == set()


@pytest.mark.parametrize(
    ("method", "path", "auth"), [(m, p, a) for (m, p), a in ROWS.items() if m != "WebSocket" and "{" not in p]
)
async def test_a_key_is_asked_for_where_the_page_says_so(house, method, path, auth):
    answer = await asked(house, method, path)
    expected = {"none": (200, 503), "signature": (401,)}.get(
        auth, (401,)
    )  # 503: /readyz of a house that is not started
    assert answer.status_code in expected, answer.text


async def test_an_upgrade_is_asked_for_where_voice_is_spoken(house):
    answer = await asked(house, "GET", "/v1/realtime")
    assert answer.status_code == 426
    assert "WebSocket" in answer.json()["error"]["message"]
