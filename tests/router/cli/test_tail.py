"""`tail`: what somebody sees who follows a running router."""

import io
import json

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from router.cli.app import app
from router.cli.tail import Watch, line_of, run
from router.records import Recent
from tests.router.proxy.house import house, served


@pytest.fixture
def url():
    application, _ = house(records=Recent())
    with served(application) as url:
        yield url


def ask(url, model="router/rescued", **fields):
    body = {"model": model, "messages": [{"role": "user", "content": "a secret of mine"}], **fields}
    headers = {"authorization": "Bearer secret-web"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, trust_env=False)


def screen():
    return Console(file=io.StringIO(), width=400, color_system=None)


def lines(out):
    return out.file.getvalue().splitlines()


def test_each_request_is_a_line_with_its_decision_and_attempts(url):
    for model in ("demo/fast", "router/rescued", "scripted/500"):
        ask(url, model)
    out = screen()
    assert run(Watch(url, "secret-web", follow=False), out=out) == 0
    direct, rescued, failed = lines(out)
    assert direct.split()[1:6] == ["200", "chat", "demo/fast", "(specified)", "demo/fast"]
    assert "rescued/down only (single)  demo/down overloaded" in rescued
    assert " → demo/fast " in rescued
    assert "tokens" in rescued
    assert " 502 " in failed
    assert "secret of mine" not in out.file.getvalue()


def test_what_comes_later_is_followed_and_nothing_is_told_twice(url):
    ask(url, "demo/fast")
    out, pauses = screen(), []

    def pause(_seconds):
        pauses.append(len(lines(out)))
        if len(pauses) == 3:
            raise KeyboardInterrupt
        if len(pauses) == 1:
            ask(url, "demo/smart", stream=True)

    assert run(Watch(url, "secret-web"), out=out, pause=pause) == 0
    assert pauses == [1, 2, 2]
    assert "chat~" in lines(out)[1]
    assert "first " in lines(out)[1]


def test_only_as_many_past_requests_as_asked_for_are_shown(url):
    for _ in range(3):
        ask(url, "demo/fast")
    for last in (2, 0):
        out, polls = screen(), iter([None, None])

        def pause(_seconds, polls=polls):
            if next(polls, KeyboardInterrupt) is KeyboardInterrupt:
                raise KeyboardInterrupt

        run(Watch(url, "secret-web", last=last), out=out, pause=pause)
        assert len(lines(out)) == last  # and the older ones do not come later


def test_a_flood_is_told_of(url, monkeypatch):
    monkeypatch.setattr("router.cli.tail.MOST", 2)
    out, left = screen(), [1]

    def pause(_seconds):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        for _ in range(4):
            ask(url, "demo/fast")

    run(Watch(url, "secret-web"), out=out, pause=pause)
    assert lines(out)[0] == "… more than can be followed; some are left out"
    assert len(lines(out)) == 3


def test_json_is_one_object_a_line(url):
    ask(url)
    done = CliRunner().invoke(app, ["tail", "--url", url, "--key", "secret-web", "--json", "--once"])
    assert done.exit_code == 0
    [line] = done.stdout.splitlines()
    assert json.loads(line)["decision"]["router"] == "rescued"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--url", "http://127.0.0.1:9"), "does not answer"),
        (("--url", "nowhere"), "does not answer"),
        (("--key", "wrong"), "401: This API key"),
    ],
)
def test_what_is_wrong_is_said(url, words, complaint, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["tail", "--once", "--url", url, *words])
    assert done.exit_code == 1
    assert complaint in done.stderr


def test_a_request_that_never_met_a_target_still_has_a_line():
    shown = line_of({"time": "2026-01-02T03:04:05.678+00:00", "kind": "chat", "decision": {"requested": "auto"}})
    assert shown.style == ""  # a base style would dim the whole line
    assert shown.plain.startswith("03:04:05.678 --- chat")
    assert "auto" in shown.plain
