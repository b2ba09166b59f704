"""Where voice clients connect. Light: the server knows the addresses before anything of the voice is imported."""

import orjson

from router.proxy.exchange import Exchange, Send
from router.refusal import Refusal

OPENAI_PATHS = ("/v1/realtime", "/realtime")
INWORLD_PATHS = ("/api/v1/realtime/session",)


async def ask_for_upgrade(exchange: Exchange) -> None:
    """Answer a plain HTTP request at a WebSocket's address. Raises Refusal 426."""
    message = f"{exchange.path!r} is a WebSocket: connect to it with ws:// or wss://, not with HTTP."
    raise Refusal(426, message, code="upgrade_required", headers={"upgrade": "websocket"})


async def refuse_upgrade(send: Send, refusal: Refusal) -> None:
    """Answer the upgrade with an HTTP status and OpenAI's envelope."""
    body = orjson.dumps(refusal.document())
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    start = {"type": "websocket.http.response.start", "status": refusal.status, "headers": headers}
    await send(start)
    await send({"type": "websocket.http.response.body", "body": body})
