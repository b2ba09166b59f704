"""Pages of other origins in a real browser: what they reach of a router, and what they do not.

The foreign page is served from loopback under a foreign name, which the browser alone resolves.
"""

import contextlib
import functools
import http.server
import json
import threading

import pytest

from .chromium import PROGRAM, browser
from .serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="the browser tests need 'chromium'")]
KEY = "a-long-enough-secret"
FOREIGN = "shop.example"
KEYS = f"keys: [{{id: web, secret: {KEY}}}]"
ASK = """(async () => {
  const headers = {"content-type": "application/json", ...(KEY && {authorization: `Bearer ${KEY}`})};
  const body = JSON.stringify({model: "demo/fast", messages: [{role: "user", content: "say hello"}]});
  const reply = await fetch(`${URL}/v1/chat/completions`, {method: "POST", headers, body});
  const document = await reply.json();
  const opened = await new Promise((resolve) => {
    const protocols = KEY ? ["realtime", `openai-insecure-api-key.${KEY}`] : ["realtime"];
    const socket = new WebSocket(`${URL.replace("http", "ws")}/v1/realtime?model=demo/fast`, protocols);
    socket.onmessage = (event) => resolve(JSON.parse(event.data).type);
    socket.onerror = socket.onclose = () => resolve("refused");
  });
  return [reply.status, document.error?.code ?? document.choices[0].message.content, opened];
})()"""
SERVED = [200, "hello", "session.created"]


class Blank(http.server.BaseHTTPRequestHandler):
    """Every address is an empty page."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<title>page</title>")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def elsewhere():
    """The port of a web server that has nothing to do with the router."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.05))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextlib.asynccontextmanager
async def visiting(url):
    async with browser(f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1") as page:
        await page.open(url, ready="document.title === 'page'")
        yield page


def asked(page, url, key=""):
    return page.js(ASK.replace("KEY", json.dumps(key)).replace("URL", json.dumps(url)))


async def test_an_open_router_refuses_pages_of_other_names_and_answers_those_of_this_machine(elsewhere):
    with serving() as url:
        async with visiting(f"http://{FOREIGN}:{elsewhere}/") as page:
            status, code, opened = await asked(page, url)
            assert (status, code) == (403, "origin_not_allowed")
            assert opened in ("error", "refused")
        async with visiting(f"http://127.0.0.1:{elsewhere}/") as page:
            assert await asked(page, url) == SERVED


async def test_a_listed_page_may_call_and_any_other_may_not(elsewhere, tmp_path):
    listed = tmp_path / "server.yaml"
    listed.write_text(f'auth: {{origins: ["http://{FOREIGN}:{elsewhere}"]}}\n')
    with serving("--config", str(listed)) as url:
        async with visiting(f"http://{FOREIGN}:{elsewhere}/") as page:
            assert await asked(page, url) == SERVED
        async with visiting(f"http://127.0.0.1:{elsewhere}/") as page:
            assert (await asked(page, url))[:2] == [403, "origin_not_allowed"]


async def test_with_keys_a_page_needs_one_and_where_pages_are_listed_must_be_one_of_them(elsewhere, tmp_path):
    locked, listed = tmp_path / "locked.yaml", tmp_path / "listed.yaml"
    locked.write_text(f"auth: {{{KEYS}}}\n")
    listed.write_text(f'auth: {{{KEYS}, origins: ["https://app.example"]}}\n')
    with serving("--config", str(locked)) as url, serving("--config", str(listed)) as narrow:
        async with visiting(f"http://{FOREIGN}:{elsewhere}/") as page:
            assert (await asked(page, url))[:2] == [401, "missing_api_key"]
            assert await asked(page, url, KEY) == SERVED
            assert (await asked(page, narrow, KEY))[:2] == [403, "origin_not_allowed"]
