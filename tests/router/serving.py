"""A small application behind the real server; run as a program it listens on a free port and prints what happens."""

import asyncio
import os
import sys

from router.server import Binding, Drain, Hooks, Settings, serve

STATE = {"disconnects": 0}


def say(line):
    """One line in one write: several workers share the pipe."""
    os.write(1, f"{line}\n".encode())


async def echo(scope, receive, send):
    """Says how many body bytes came; /sse streams; /early answers before the body; a WebSocket echoes."""
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    if scope["type"] == "websocket":
        return await echo_socket(receive, send)
    size = 0
    more = scope["path"] != "/early"
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            STATE["disconnects"] += 1
            return None
        size += len(event["body"])
        more = event["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    if scope["path"] == "/sse":
        for number in range(int(scope["query_string"] or b"10")):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await asyncio.sleep(0.05)
    if scope["path"] == "/names":
        names = b",".join(name for name, _ in scope["headers"])
        return await send({"type": "http.response.body", "body": names})
    return await send({"type": "http.response.body", "body": b"%s %d" % (scope["method"].encode(), size)})


async def lifespan(receive, send):
    while True:
        event = await receive()
        await send({"type": event["type"] + ".complete"})
        if event["type"] == "lifespan.shutdown":
            say("flushed")
            return


async def echo_socket(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text") or str(len(event["bytes"]))})


def main():
    workers, delay_s, requests_s, sockets_s = (float(word) for word in sys.argv[1:5])
    hooks = Hooks(
        on_ready=lambda port: say(f"ready {port}"),
        on_drain=lambda: say("draining"),
        on_reload=lambda: say("reload"),
    )
    binding = Binding(port=0, workers=int(workers))
    sys.exit(serve(echo, Settings(binding=binding, drain=Drain(delay_s, requests_s, sockets_s), hooks=hooks)))


if __name__ == "__main__":
    main()
