"""Where voice clients connect. Light: the server knows the addresses before anything of the voice is imported."""

from router.proxy.exchange import Exchange
from router.refusal import Refusal

OPENAI_PATHS = ("/v1/realtime", "/realtime")
INWORLD_PATHS = ("/api/v1/realtime/session",)


async def ask_for_upgrade(exchange: Exchange) -> None:
    """Answer a plain HTTP request at a WebSocket's address. Raises Refusal 426."""
    message = f"{exchange.path!r} is a WebSocket: connect to it with ws:// or wss://, not with HTTP."
    raise Refusal(426, message, code="upgrade_required", headers={"upgrade": "websocket"})
