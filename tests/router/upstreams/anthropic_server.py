"""A local provider that speaks Anthropic's wire format: POST /v1/messages as JSON and as SSE, tools, errors.

The model's name chooses what happens: an answer, a tool call, or an error status. It keeps what it was sent.
"""

import asyncio
import json

from aiohttp import web

TEXT = "Hello from a local machine ."
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error",
          500: "api_error", 529: "overloaded_error"}  # fmt: skip


class AnthropicServer:
    """`async with AnthropicServer() as server:` answers at `server.base_url`."""

    def __init__(self):
        self.requests = []
        self.headers = []
        self.gone = asyncio.Event()

    async def __aenter__(self):
        app = web.Application()
        app.router.add_post("/v1/messages", self._messages)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_):
        await self._runner.cleanup()

    async def _messages(self, request):
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        model = body["model"]
        if model.isdigit():
            return self._error(int(model))
        if model == "too-long":
            return self._error(400, "prompt is too long: 250000 tokens > 200000 maximum")
        if body.get("stream"):
            return await self._stream(request, body)
        return web.json_response(self._message(body))

    def _error(self, status, message="scripted"):
        error = {"type": "error", "error": {"type": _KINDS[status], "message": message}}
        return web.json_response(error, status=status, headers={"retry-after": "7"} if status == 429 else {})

    def _content(self, body):
        if body.get("tools"):
            return [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rome"}}]
        return [{"type": "text", "text": TEXT}]

    def _message(self, body):
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": self._content(body),
            "stop_reason": "tool_use" if body.get("tools") else "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 6},
        }

    async def _stream(self, request, body):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        try:
            for event in self._events(body):
                if event == "cut":
                    request.transport.abort()
                    return response
                if event == "hang":
                    await asyncio.sleep(30)
                name = event["type"]
                await response.write(f"event: {name}\ndata: {json.dumps(event)}\n\n".encode())
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        return response

    def _events(self, body):
        message = self._message(body) | {"content": [], "stop_reason": None}
        yield {"type": "message_start", "message": message}
        [content] = self._content(body)
        if content["type"] == "tool_use":
            yield {"type": "content_block_start", "index": 0, "content_block": content | {"input": {}}}
            for part in ('{"city":', ' "Rome"}'):
                yield self._delta({"type": "input_json_delta", "partial_json": part})
        else:
            yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            yield {"type": "ping"}
            for n, word in enumerate(TEXT.split()):
                yield self._delta({"type": "text_delta", "text": word if n == 0 else f" {word}"})
                if n == 2 and body["model"] in {"cut", "hang"}:
                    yield body["model"]
                if n == 2 and body["model"] == "overloaded":
                    yield {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
                    return
        yield {"type": "content_block_stop", "index": 0}
        stop = "tool_use" if body.get("tools") else "end_turn"
        usage = {"output_tokens": 6}
        yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}
        yield {"type": "message_stop"}

    def _delta(self, delta):
        return {"type": "content_block_delta", "index": 0, "delta": delta}
