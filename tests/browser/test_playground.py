"""The playground in a real browser: typed, decided, explained; nothing refused by its own policy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .chromium import PROGRAM, browser

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="the browser tests need 'chromium'")]


@pytest.fixture(scope="module")
def house():
    """The address of a server on embedded defaults."""
    command = [sys.executable, "-m", "realtime", "serve", "--port", "0", "--log-level", "error"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "RR_NO_OLLAMA": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)
    words = ""
    while not (found := re.search(r"ready at (http://\S+)", words)):
        line = process.stdout.readline()
        assert line, f"the server ended: {words}"
        words += line
    yield found[1]
    process.terminate()
    process.wait(15)
    process.stdout.close()


async def check_clean(page):
    assert await page.js("window.violations") == []
    assert page.errors == []


async def type_message(page, text):
    await page.click("#draft")
    await page.write(text)
    await page.key("Enter")


async def test_typed_chat_streams_and_shows_who_was_tried(house):
    async with browser() as page:
        await page.open(house)
        await page.choose("#tier", "chaos")
        await type_message(page, "hello there")
        await page.until("document.querySelector('.turn .tag.completed')")
        assert await page.text(".message.user .words") == "hello there"
        assert "You said: hello there" in await page.text(".message.assistant .words")
        assert await page.text(".message.assistant .remark") == "demo/fast · after 1 failed attempt"
        attempts = await page.text(".turn tbody")
        assert "demo/down" in attempts
        assert "overloaded" in attempts
        assert await page.js("document.querySelectorAll('.turn .waterfall li').length") == 3
        await check_clean(page)


async def test_the_decision_is_explained_while_metadata_is_edited(house):
    async with browser() as page:
        await page.open(house)
        await page.until("document.querySelector('.verdict-model').textContent === 'demo/fast'")
        await page.choose("#user", "ann")
        await page.choose("#tier", "premium")
        await page.until("document.querySelector('.conditions .met .route').textContent === 'premium'")
        facts = await page.text(".facts")
        assert "treatment" in facts
        assert "446,468 of 1,000,000" in facts
        assert "50 %" in facts
        assert await page.js("document.querySelectorAll('.conditions .unmet').length") == 2
        await check_clean(page)
