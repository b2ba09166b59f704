"""`/metrics` on a port of its own, where scrapers and callers must not meet. HTTP/1.1, one answer a connection."""

import asyncio
from collections.abc import Callable

REQUEST_S = 5.0
HEAD_BYTES = 16 * 1024

Render = Callable[[str], tuple[bytes, str]]


async def serve_metrics(host: str, port: int, render: Render) -> asyncio.Server:
    """Listen. Raises OSError when the address cannot be had."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answered(head, render))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever that was: nothing of ours is lost
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=HEAD_BYTES)


def answered(head: bytes, render: Render) -> bytes:
    """The whole answer to a request's head."""
    line, _, rest = head.partition(b"\r\n")
    method, _, target = line.partition(b" ")
    path = target.partition(b" ")[0].partition(b"?")[0]
    if method not in (b"GET", b"HEAD"):
        return _response(b"405 Method Not Allowed", b"text/plain", b"", more=b"allow: GET, HEAD\r\n")
    if path != b"/metrics":
        return _response(b"404 Not Found", b"text/plain", b"only /metrics is here\n")
    accept = next((one[7:] for one in rest.split(b"\r\n") if one[:7].lower() == b"accept:"), b"")
    body, kind = render(accept.strip().decode("latin-1"))
    whole = _response(b"200 OK", kind.encode("latin-1"), body)
    return whole if method == b"GET" else whole.removesuffix(body)


def _response(status: bytes, kind: bytes, body: bytes, *, more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n%b\r\n"
    return head % (status, kind, len(body), more) + body
