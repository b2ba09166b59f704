"""The playground's files: named, typed, tagged, and nothing else can be reached."""

import re

import pytest

from router.proxy.playground import TYPES, matches, read_assets

from .stand_in import door

NAMES = sorted(read_assets())


async def test_the_page_stands_at_the_root_and_needs_no_key():
    async with door() as client:
        answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>Playground" in answer.text


@pytest.mark.parametrize("name", NAMES)
async def test_every_file_is_served_with_its_type(name):
    async with door() as client:
        answer = await client.get(f"/playground/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].encode() == TYPES[name.rpartition(".")[2]]
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_policy_allows_own_files_only_and_no_markup_from_text():
    async with door() as client:
        policy = (await client.get("/")).headers["content-security-policy"]
    assert policy.startswith("default-src 'self'; connect-src 'self' ws: wss:;")
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy


async def test_what_the_browser_has_is_not_sent_again():
    async with door() as client:
        first = await client.get("/playground/js/main.js")
        again = await client.get("/playground/js/main.js", headers={"if-none-match": f'"x", W/{first.headers["etag"]}'})
        changed = await client.get("/playground/js/main.js", headers={"if-none-match": '"other"'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert changed.status_code == 200


async def test_head_answers_the_headers_alone_and_post_is_refused():
    async with door() as client:
        head = await client.head("/")
        post = await client.post("/")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    assert (post.status_code, post.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "path", ["../playground.py", "%2e%2e/playground.py", "js/../../app.py", "js", "js/", "nothing.js"]
)
async def test_nothing_else_can_be_reached(path):
    async with door() as client:
        answer = await client.get(f"/playground/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown_url"


@pytest.mark.parametrize(("asked", "same"), [("", False), ('"a"', True), ('"b", "a"', True), ("*", True), ("a", False)])
def test_tags_are_compared_weakly(asked, same):
    assert matches(asked, '"a"') is same


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith((".js", ".html", ".css"))])
def test_files_are_small_and_never_turn_text_into_markup(name):
    text = read_assets()[name].body.decode()
    assert len(text.splitlines()) <= 250, f"{name}: a noun is hiding"
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)
    if name.endswith(".html"):
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|https?://", text)


def test_every_file_the_page_asks_for_is_there():
    assets = read_assets()
    page = assets["index.html"].body.decode()
    asked = re.findall(r"/playground/([\w./-]+)", page)
    for name in (name for name in assets if name.startswith("js/")):
        text = assets[name].body.decode()
        asked += [f"js/{found}" for found in re.findall(r'from "\./([\w.]+)"', text)]
        asked += re.findall(r'"/playground/([\w./]+)"', text)
    assert set(asked) <= set(assets)
    assert set(assets) - set(asked) == {"index.html"}
