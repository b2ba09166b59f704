"""A change is taken whole or not at all."""

import asyncio

import pytest

from router.config import ConfigError, Finding, load
from router.reload import Reloader, fingerprint


def write(path, port):
    path.write_text(f"server: {{port: {port}}}\nrouters: []\n")
    return path


def reloader(path, **more):
    taken, reports = [], []
    made = Reloader(load(path, {}), {}, taken.append, report=reports.append, **more)
    return made, taken, reports


def test_a_good_file_is_taken(tmp_path):
    path = write(tmp_path / "r.yaml", 1)
    made, taken, reports = reloader(path)
    write(path, 2)
    assert made.reload()
    assert [config.server.port for config in taken] == [2]
    assert made.status.checksum == taken[0].checksum
    assert (reports[-1].reloads, reports[-1].failures, reports[-1].error) == (1, 0, None)


def test_a_bad_file_changes_nothing_and_says_why(tmp_path):
    path = write(tmp_path / "r.yaml", 1)
    made, taken, reports = reloader(path)
    path.write_text("server: {prot: 2}\n")
    assert not made.reload()
    assert taken == []
    assert made.config.server.port == 1
    assert f"{path}:1:10: server.prot: unknown key" in reports[-1].error
    write(path, 3)
    assert made.reload()
    assert made.status.error is None
    assert made.status.failures == 1


def test_a_table_that_cannot_be_built_changes_nothing(tmp_path):
    path = write(tmp_path / "r.yaml", 1)

    def take(config):
        raise ConfigError([Finding("x.yaml", "no")])

    made = Reloader(load(path, {}), {}, take)
    assert not made.reload()
    assert made.status.error == "x.yaml:1:1: no"


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_files_that_change_appear_or_go_are_noticed(tmp_path):
    folder = tmp_path / "routers"
    folder.mkdir()
    path = tmp_path / "r.yaml"
    path.write_text("routers: [routers]\n")
    made, taken, _ = reloader(path, poll_s=0.01)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(made.watch())
        await asyncio.sleep(0.05)
        assert taken == []
        router = folder / "a.yaml"
        router.write_text("router: a\ndefault: {id: d, variants: [{id: a, weight: 100, model: demo/fast}]}\n")
        await until(lambda: taken)
        assert [source.router.router for source in taken[-1].routers] == ["a"]
        router.unlink()
        await until(lambda: len(taken) == 2)
        assert taken[-1].routers == ()
        watching.cancel()


async def test_a_request_reloads_without_a_change(tmp_path):
    made, taken, _ = reloader(write(tmp_path / "r.yaml", 1), poll_s=60)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(made.watch())
        made.ask()
        await until(lambda: taken)
        watching.cancel()
    assert len(taken) == 1


async def test_a_file_that_keeps_changing_is_read_when_it_holds_still(tmp_path, monkeypatch):
    made, taken, _ = reloader(write(tmp_path / "r.yaml", 1), poll_s=0.001)
    looks = iter([("a",), ("b",), ("c",), ("c",)])
    monkeypatch.setattr("router.reload.fingerprint", lambda config: next(looks, ("c",)))
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(made.watch())
        await until(lambda: taken)
        watching.cancel()
    assert len(taken) == 1


def test_a_file_that_is_gone_has_a_fingerprint_too(tmp_path):
    path = write(tmp_path / "r.yaml", 1)
    config = load(path, {})
    before = fingerprint(config)
    path.unlink()
    assert fingerprint(config) != before


def test_without_files_there_is_still_a_status():
    made = Reloader(load(None, {}), {}, lambda config: None)
    assert made.status.error is None
    assert made.reload()


@pytest.mark.parametrize("text", ["", "server: [", "\x00"])
def test_half_written_files_are_errors_not_configurations(tmp_path, text):
    path = write(tmp_path / "r.yaml", 1)
    made, taken, _ = reloader(path)
    path.write_text(text)
    assert made.reload() is (text == "")
    assert len(taken) == (1 if text == "" else 0)
