import io
import json
import logging
import os
import time

import pytest

from policies import Outcome
from router import logs
from router.request_log import RequestLog, figures, repeating
from tests.router.records_samples import attempt, decision, record


@pytest.fixture
def written():
    """Set logging up, log through `log`, and give back the lines."""
    stream, made = io.StringIO(), []

    def run(log, **options):
        made.append(logs.set_up(stream=stream, **options))
        root = logging.getLogger()
        watching, root.handlers = root.handlers, []  # half a character in pytest's own record would end its worker
        try:
            log(logging.getLogger("router.test"))
        finally:
            root.handlers = watching
            made[-1].close()
        return stream.getvalue().splitlines()

    return run


def line_of(written, fields, message="said", **options):
    options = {"form": "json"} | options
    [line] = written(lambda logger: logger.info(message, extra={"fields": fields}), **options)
    return line


def test_a_request_is_one_json_line_with_names_and_figures(written):
    failed = attempt(outcome=Outcome.HTTP_5XX, began_s=10.0)
    done = record(attempts=[failed, attempt(began_s=10.5)], usage={"prompt_tokens": 3, "completion_tokens": 4})
    [line] = written(lambda _: RequestLog().on_finish(done), form="json")
    shown = json.loads(line)
    assert shown["message"] == "request"
    assert shown["level"] == "info"
    assert shown["attempts"] == ["openai/gpt:http_5xx", "openai/gpt:success"]
    assert shown["route"] == "support/default"
    assert shown["duration_ms"] == 1100.0
    assert shown["ttft_ms"] == 700.0
    assert shown["cost_usd"] == pytest.approx(0.000_011)


@pytest.mark.parametrize("request_id", [None, "req_0123456789abcdef01234567", 'mine "and" more'])
@pytest.mark.parametrize("trace_id", [None, "0af7651916cd43dd8448eb211c80319c"])
def test_a_line_that_is_made_at_once_says_what_a_log_record_would(written, request_id, trace_id):
    done = record(attempts=[attempt(began_s=10.5)], usage={"prompt_tokens": 3, "completion_tokens": 4})
    done.request_id, done.trace_id = request_id, trace_id
    for one in (done, record(attempts=[], outcome=Outcome.OTHER)):
        fields = {**repeating(one), **figures(one)}
        shown = json.loads(written(lambda _, one=one: RequestLog().on_finish(one), form="json")[-1])
        assert {name: shown[name] for name in shown if name not in ("time", "level", "logger", "message")} == fields
        line = written(lambda _, one=one: RequestLog().on_finish(one))[-1]
        assert all(f" {name}=" in line for name in fields)


def test_a_request_without_answer_is_a_warning(written):
    failed = record(decision(router=None), attempts=[], outcome=Outcome.OTHER)
    [line] = written(lambda _: RequestLog().on_finish(failed))
    assert " WARNING request " in line
    assert "route=" not in line


@pytest.mark.parametrize(
    ("environ", "terminal", "colours"),
    [({}, True, True), ({}, False, False), ({"NO_COLOR": "1"}, True, False), ({"FORCE_COLOR": "1"}, False, True)],
)
def test_a_terminal_shows_the_level_in_colour(monkeypatch, environ, terminal, colours):
    class Screen(io.StringIO):
        def isatty(self):
            return terminal

    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.setenv(name, environ.get(name, ""))
    screen = Screen()
    made = logs.set_up(stream=screen)
    logging.getLogger("router.test").warning("late")
    made.close()
    assert ("\x1b[33mWARNING\x1b[0m late" in screen.getvalue()) is colours


def test_a_level_keeps_lines_out(written):
    assert written(lambda _: RequestLog().on_finish(record()), level="ERROR") == []


@pytest.mark.parametrize("form", logs.FORMATS)
def test_nothing_can_forge_a_line(written, form):
    evil = 'x\n{"level":"error"}\r\x1b[31m\x00\u2028\x85\ud800'
    line = line_of(written, {evil: evil}, message=evil, form=form)
    assert line.isprintable()
    assert "\\x0a" in line or "\\\\x0a" in line


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "ek_68af296e8e408191a1120ab6383263c2",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "configured-secret-1",
    ],
)
def test_keys_are_redacted_wherever_they_stand(written, secret):
    fields = {"a": f"x {secret} y", "b": {"c": [f"Bearer {secret}"]}, "d": f"https://u:{secret}@h/?key={secret}"}
    line = line_of(written, fields, message=f"said {secret}", secrets=["configured-secret-1", "short"])
    assert secret not in line
    assert logs.REDACTED in line


def test_the_traceback_of_an_exception_is_redacted_too(written):
    def log(logger):
        try:
            raise RuntimeError("api_key=hunter2hunter2")
        except RuntimeError:
            logger.exception("broken")

    [line] = written(log)
    assert "RuntimeError" in line
    assert "hunter2" not in line


def test_values_given_beside_the_message_are_fields_too(written):
    [line] = written(lambda logger: logger.info("said", extra={"request_id": "r-1"}), form="json")
    assert json.loads(line)["request_id"] == "r-1"


def test_secrets_that_are_learned_later_are_redacted_too(capsys):
    made = logs.set_up()
    made.protect(["learned-later"])
    logging.getLogger("router.test").warning("it is learned-later")
    made.close()
    assert capsys.readouterr().err.endswith(f"it is {logs.REDACTED}\n")


def test_a_forked_process_writes_with_a_thread_of_its_own():
    stream = io.StringIO()
    made = logs.set_up(stream=stream)
    made.listener.stop()
    made.revive()
    logging.getLogger("router.test").warning("from the child")
    made.close()
    made.revive()
    assert "from the child" in stream.getvalue()


def test_long_and_deep_values_are_cut(written):
    deep = {"a": {"b": {"c": {"d": {"e": "f"}}}}}
    line = line_of(written, {"long": "y" * 100_000, "many": list(range(1000)), "deep": deep, "none": None, "yes": True})
    shown = json.loads(line)
    assert len(line) < 4000
    assert shown["yes"] is True
    assert "none" not in shown


def test_a_blocked_writer_drops_lines_and_counts_them():
    made = logs.set_up(stream=io.StringIO())
    made.listener.stop()
    for _ in range(10_005):
        logging.getLogger("router.test").warning("x")
    assert made.handler.dropped == 5
    made.listener.start()
    made.close()


@pytest.mark.parametrize("options", [{"level": "loud"}, {"form": "xml"}])
def test_unknown_levels_and_formats_are_refused_by_name(options):
    with pytest.raises(ValueError, match="RR_LOG_"):
        logs.set_up(**options)


def test_a_pipe_that_nobody_reads_holds_up_neither_the_caller_nor_the_end():
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb"), os.fdopen(writing, "w", encoding="utf-8") as pipe:
        made = logs.set_up(stream=pipe)
        began_s = time.monotonic()
        for number in range(2000):
            logging.getLogger("router.test").info("line %d %s", number, "x" * 100)
        said_s = time.monotonic() - began_s
        made.close()
    assert said_s < 1
    assert time.monotonic() - began_s < 4
    assert made.lost == 2000


def test_lines_reach_a_file_whole_and_in_order(tmp_path):
    with (tmp_path / "log").open("w", encoding="utf-8") as file:
        made = logs.set_up(stream=file)
        for number in range(500):
            logging.getLogger("router.test").info("line %d \u00e9", number)
        made.close()
    lines = (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    assert [int(line.split()[3]) for line in lines] == list(range(500))
    assert made.lost == 0
