"""The playground in a real browser: spoken to, interrupted, typed to; nothing refused by its own policy."""

import asyncio
import json
import shutil
import subprocess
import time
import wave

import pytest

from .chromium import PROGRAM, browser
from .serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason="the browser tests need 'chromium'")]


KEY = "a-long-enough-secret"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The address of a server on embedded defaults, but with patience: it shares a small machine with a browser."""
    path = tmp_path_factory.mktemp("server") / "server.yaml"
    path.write_text("defaults: {timeouts: {connect_s: 30, first_token_s: 30, idle_s: 30, answer_s: 30}}\n")
    with serving("--config", str(path)) as url:
        yield url


@pytest.fixture(scope="module")
def microphone(tmp_path_factory):
    """Makes a recording that stands for the microphone: seconds of silence and sentences, once or again and again."""
    if shutil.which("flite") is None:
        pytest.skip("the speaker at the microphone needs the program 'flite'")
    folder = tmp_path_factory.mktemp("microphone")

    def record(name, *parts, again=False):
        sound = bytearray()
        for part in parts if again else (*parts, 60.0):
            if isinstance(part, str):
                subprocess.run(["flite", "-voice", "slt", "-t", part, "-o", f"{folder}/word.wav"], check=True)
                with wave.open(f"{folder}/word.wav") as clip:
                    sound += clip.readframes(clip.getnframes())
            else:
                sound += bytes(2 * int(part * 16_000))
        with wave.open(f"{folder}/{name}.wav", "wb") as clip:
            clip.setparams((1, 2, 16_000, 0, "NONE", ""))
            clip.writeframes(sound)
        return f"--use-file-for-fake-audio-capture={folder}/{name}.wav{'' if again else '%noloop'}"

    return record


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


async def state(page, name, timeout_s=15):
    await page.until(f"document.body.dataset.state === {json.dumps(name)}", timeout_s)


async def sent(page, kind):
    """The bodies of the inspector's last events of a kind."""
    return await page.js(
        "[...document.querySelectorAll('.event')].filter((row) => row.querySelector('.type').textContent === "
        f"{json.dumps(kind)}).map((row) => {{ row.open = true; row.dispatchEvent(new Event('toggle'));"
        "return JSON.parse(row.querySelector('pre').textContent) })"
    )


async def test_the_answer_is_heard_and_shown_and_speaking_stops_it(house, microphone):
    async with browser(microphone("barge", 0.8, "hello how are you today", 1.5, again=True)) as page:
        await page.open(house)
        await page.choose("#user", "ann")  # with this tier she meets the variant with long answers
        await page.choose("#tier", "premium")
        await page.click("#talk")
        await state(page, "hearing")
        await page.until("['thinking', 'speaking'].includes(document.body.dataset.state)")
        await page.key("m")
        await state(page, "speaking")
        heard = await page.text(".message.user .words")
        assert "you today" in heard  # a small offline recogniser behind the browser's noise reduction
        assert f"You said: {heard}" in await page.text(".message.assistant .words")
        began_s = time.monotonic()
        await asyncio.sleep(1.5)
        await page.key("m")  # the next repetition is in the middle of the answer
        await state(page, "hearing")
        ended_s = time.monotonic()
        await page.until("document.querySelector('.message.assistant .remark').textContent.startsWith('interrupted')")
        (cut,) = await sent(page, "conversation.item.truncate")
        (answered,) = await sent(page, "conversation.item.truncated")
        assert 1000 < cut["audio_end_ms"] < (ended_s - began_s) * 1000 + 1000  # what was played, not what was sent
        assert answered["item_id"] == cut["item_id"]
        assert await page.text(".turn:last-child .turn-head .tag") == "interrupted"
        await page.until("['thinking', 'speaking'].includes(document.body.dataset.state)")
        await page.key("m")
        await page.until("document.querySelectorAll('.turn').length === 2")
        await page.until("document.querySelectorAll('.turn .bar.heard').length === 2")  # the second answer sounds, too
        stages = await page.js(
            "[...document.querySelectorAll('.turn:last-child .stage')].map((row) => row.textContent)"
        )
        assert stages == ["End of turn", "Transcript", "First text", "First audio", "First sound", "Complete"]
        table = await page.text(".turn:last-child tbody")
        assert all(word in table for word in ("hear", "think", "speak", "demo/smart", "success"))
        appended = await sent(page, "input_audio_buffer.append")
        assert appended[0]["audio"] == "‹40 ms of sound›"
        assert await sent(page, "error") == []
        await page.key("3")
        await page.choose("#event-way", "out")
        await page.choose("#event-filter", "truncate")
        rows = "[...document.querySelectorAll('.event:not([hidden]) .type')].map((row) => row.textContent)"
        assert await page.js(rows) == ["conversation.item.truncate"]
        await page.click("#event-pause")
        assert await page.js("document.querySelector('#event-pause').ariaPressed") == "true"
        await page.click("#talk")
        await state(page, "off")
        await check_clean(page)


async def test_holding_the_space_bar_talks_and_text_goes_into_the_same_session(house, microphone):
    async with browser(microphone("hold", "hello how are you today hello how are you today")) as page:
        await page.open(house)
        await page.choose("#turns", "manual")
        await page.key("t")
        await state(page, "ready")
        await page.key(" ", "down")
        await state(page, "hearing")
        await asyncio.sleep(1.6)
        await page.key(" ", "up")
        await state(page, "speaking")
        await page.key("Escape")
        await state(page, "ready")
        assert (await page.text(".message.assistant .remark")).startswith("interrupted")
        await page.key("/")
        await page.write("count to three")
        await page.key("Enter")
        await page.until("document.querySelector('.message:last-child .words').textContent.includes('three')")
        await page.until("document.querySelector('.turn .bar.heard')")
        assert len(await sent(page, "input_audio_buffer.commit")) == 1
        assert not await page.js("Boolean(document.querySelector('.fault'))")
        await page.choose("#tier", "vip")
        await page.choose("#tier", "")
        updated = "[...document.querySelectorAll('.type')].filter((type) => type.textContent === 'session.updated')"
        await page.until(f"{updated}.length === 3")
        updates = await sent(page, "session.update")
        assert [update["session"]["providerData"]["metadata"] for update in updates] == [
            {},
            {"tier": "vip"},
            {"tier": None},
        ]
        await check_clean(page)


async def test_without_a_sound_device_a_session_answers_in_text(house, microphone):
    async with browser(microphone("deaf", 0.1)) as page:
        never = "AudioContext.prototype.resume = () => new Promise(() => undefined)"  # as Firefox does without one
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=never)
        await page.open(house)
        await page.key("t")
        await state(page, "listening")
        assert await page.text(".fault strong") == "This browser finds no sound device."
        assert await page.js("document.querySelectorAll('.fault').length") == 1
        await type_message(page, "hello there")
        await page.until("document.querySelector('.message.assistant .words').textContent.includes('hello there')")
        await check_clean(page)


async def test_a_server_with_keys_is_opened_with_one_and_says_so_before(tmp_path, microphone):
    path = tmp_path / "server.yaml"
    path.write_text(f"auth: {{keys: [{{id: web, secret: {KEY}}}]}}\n")
    with serving("--config", str(path)) as url:
        async with browser(microphone("quiet", 0.1)) as page:
            await page.open(url, ready="document.querySelector('.fault')")
            assert await page.text(".fault strong") == "This server asks for an API key."
            assert "API key" in await page.text(".fault .remedy")
            await page.click("#key-button")
            await page.write(KEY)
            await page.key("Enter")
            await page.until("document.querySelector('#model option')")
            await page.until("!document.querySelector('.fault')")
            await page.click("#talk")
            await state(page, "listening")
            await page.choose("#user", "ann")
            assert "ann" in await page.js("JSON.stringify(localStorage)")
            assert KEY not in await page.js("JSON.stringify(localStorage)")
            assert await page.js("window.violations") == []


async def test_keys_narrow_screens_and_colours(house):
    async with browser() as page:
        await page.open(house, width=375, height=720, scheme="dark")
        await page.until("document.querySelector('.verdict')")
        widest = (
            "Math.max(...[...document.querySelectorAll('body *')].map((node) => node.getBoundingClientRect().right))"
        )
        for tab in ("decision", "turns", "events"):
            await page.click(f"#tab-{tab}")
            assert await page.js("document.documentElement.scrollWidth") == 375
            assert await page.js(widest) <= 375
        dark = await page.js("getComputedStyle(document.body).backgroundColor")
        await page.click("#theme")
        assert await page.js("getComputedStyle(document.body).backgroundColor") != dark
        await page.click("#tab-decision")
        await page.key("ArrowRight")
        assert await page.js("document.activeElement.id") == "tab-turns"
        await page.key("3")
        assert await page.js("document.activeElement.id") == "tab-events"
        await page.key("2")
        assert await page.js("!document.querySelector('#panel-turns').hidden")
        assert await page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        unnamed = "(node) => !(node.textContent.trim() || node.ariaLabel || node.labels?.length)"
        fields = "document.querySelectorAll('button, input, select, textarea')"
        assert await page.js(f"[...{fields}].filter({unnamed}).map((node) => node.id)") == []
        await check_clean(page)


async def test_what_fails_is_said_with_what_to_do(house):
    async with browser() as page:
        await page.open(house)
        await page.choose("#model", "demo/down")
        await type_message(page, "hello")
        await page.until("document.querySelector('.fault')")
        assert "no target answered" in await page.text(".fault strong")
        assert "fallbacks" in await page.text(".fault .remedy")
        assert "overloaded" in await page.text(".turn tbody")
        assert await page.text(".turn .turn-head .tag") == "failed"
        colour = "getComputedStyle(document.querySelector('.turn .bar.{}')).backgroundColor"
        assert await page.js(colour.format("done")) == await page.js(colour.format("bad"))
        await page.click(".fault button")
        assert not await page.js("Boolean(document.querySelector('.fault'))")
        assert await page.js("window.violations") == []
