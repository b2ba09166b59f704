import asyncio
import contextlib
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from router.upstreams.scripted import CANONICAL, FAULTS, ScriptedServer
from router.upstreams.scripted.__main__ import main
from tests.router.upstreams.calls import deltas, events


@pytest.fixture
async def server():
    async with ScriptedServer(time_scale=0.01) as running:
        yield running


def request(model, *, path="/v1/chat/completions", method="POST", **fields):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "x"}], **fields}).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def head_and_body(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status = int(head.split()[1])
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
    if "content-length" in headers:
        return status, headers, await reader.readexactly(int(headers["content-length"]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return status, headers, body


async def ask(server, *args, **fields):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request(*args, **fields))
    try:
        return await head_and_body(reader)
    finally:
        writer.close()


async def until(condition):
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0.005)


async def test_json_and_streams_are_whole_and_the_connection_is_kept(server):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("ok") + request("ok", stream=True))
    _, _, body = await head_and_body(reader)
    assert json.loads(body)["choices"][0]["message"]["content"] == CANONICAL
    _, headers, body = await head_and_body(reader)
    assert headers["transfer-encoding"] == "chunked"
    assert deltas(events(body)) == CANONICAL
    assert [seen.completed for seen in server.journal.seen] == [True, True]
    writer.close()


async def test_head_and_body_come_in_one_segment(server):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("ok", stream=True))
    first = await reader.read(65_536)
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert first.endswith(b"0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(("model", "words"), [("cut-40", 40), ("role-then-die", 0)])
async def test_a_cut_stream_ends_without_its_final_chunk(server, model, words):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request(model, stream=True))
    everything = await reader.read()
    assert not everything.endswith(b"0\r\n\r\n")
    assert everything.count(b'"delta":{"content":') == words
    writer.close()


async def test_a_reset_is_a_reset(server):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("reset"))
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_stale_connection_closes_after_a_whole_answer(server):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request("stale"))
    status, headers, _ = await head_and_body(reader)
    assert (status, "connection" in headers) == (200, False)
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("model", ["slow-json", "hang", "stall-20", "no-done-open", "slow-stream"])
async def test_the_log_says_when_the_client_has_gone(server, model):
    _, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(request(model, stream=True))
    await until(lambda: server.journal.seen)
    await asyncio.sleep(0.02)
    writer.close()
    await until(lambda: server.journal.seen[0].client_gone)
    assert not server.journal.seen[0].completed
    assert server.journal.seen[0].ended is not None


async def test_statuses_headers_and_encodings_are_as_scripted(server):
    status, headers, _ = await ask(server, "429-retry-after-2")
    assert (status, headers["retry-after"]) == (429, "2")
    status, headers, _ = await ask(server, "redirect")
    assert (status, headers["location"]) == (307, "/v1/elsewhere")
    _, headers, body = await ask(server, "bomb-gzip")
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 1_000_000 < len(gzip.decompress(body))
    _, _, body = await ask(server, "html")
    assert b"<html>" in body


async def test_a_large_answer_waits_for_its_reader(server):
    _, _, body = await ask(server, "huge-json")
    assert len(body) > 64_000_000


async def test_the_log_is_read_and_cleared_over_http(server):
    await ask(server, "500")
    _, _, body = await ask(server, "x", path="/log", method="GET")
    assert [(seen["model"], seen["status"]) for seen in json.loads(body)] == [("500", 500)]
    await ask(server, "x", path="/log", method="DELETE")
    assert server.journal.seen == []
    _, _, body = await ask(server, "x", path="/v1/models", method="GET")
    assert [row["id"] for row in json.loads(body)["data"]] == list(FAULTS)


async def test_the_model_of_a_form_upload_is_found(server):
    form = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nok\r\n--b--\r\n'
    reader, writer = await asyncio.open_connection(server.host, server.port)
    head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(form)}\r\n\r\n"
    writer.write(head.encode() + form)
    _, _, body = await head_and_body(reader)
    assert json.loads(body) == {"text": CANONICAL}
    writer.close()


async def test_bytes_that_are_no_http_are_dropped(server):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"hello?\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    assert server.journal.seen == []
    writer.close()


def test_the_table_is_printed(capsys):
    main(["--list"])
    assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)


def test_the_page_about_it_is_current(capsys):
    main(["--markdown"])
    assert capsys.readouterr().out == Path("docs/scripted.md").read_text(encoding="utf-8")


def test_it_runs_as_a_program():
    command = [sys.executable, "-m", "router.upstreams.scripted", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        line = program.stdout.readline()
        program.terminate()
    assert line.startswith("scripted upstream on http://127.0.0.1:")
