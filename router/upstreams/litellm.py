"""Providers that do not speak OpenAI, through litellm. Imported only when a target needs it: four seconds, 160 MB.

Rules: litellm translates, nothing else. Its retries, fallbacks, cache, telemetry and price download are off; our
time-outs rule. Only fields of the OpenAI chat grammar (and a few of the providers') are handed on: others, such as
`api_base`, would let a caller send the configured key elsewhere. Errors come back as the HTTP answers they were.

What litellm resolves and connects to is its own affair, so `base_url` is checked once, at start: a private address
needs `allow_private`.
"""

import asyncio
import importlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from policies import Outcome

from .base import Call, UpstreamFault, read_whole
from .egress import refusal
from .inprocess import JSON_HEADERS, SSE_HEADERS, Clock, Piece, ScheduledReply
from .litellm_faults import CODES, connection_fault, said, status_of, waiting_headers

_FIELDS = frozenset({
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
    "max_tokens", "messages", "metadata", "modalities", "n", "parallel_tool_calls", "prediction", "presence_penalty",
    "reasoning_effort", "response_format", "seed", "service_tier", "stop", "stream", "stream_options", "temperature",
    "thinking", "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip
_EMBEDDING_FIELDS = frozenset({"dimensions", "encoding_format", "input", "user"})
_OPTIONS_REFUSED = frozenset({"api_key", "api_base", "base_url", "fallbacks", "model", "model_list", "mock_response"})


def load_library() -> tuple[Any, type[Exception]]:
    """Import litellm with everything switched off that we do ourselves, and the base class of what it raises.

    Blocks for seconds: call it in a thread.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import asks the network for prices
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # else it reads .env files
    os.environ.setdefault("LITELLM_LOG", "ERROR")
    library: Any = importlib.import_module("litellm")
    library.telemetry = False
    library.suppress_debug_info = True
    library.num_retries = 0
    library.disable_streaming_logging = True
    library.turn_off_message_logging = True
    library.callbacks = []
    base: type[Exception] = importlib.import_module("openai").OpenAIError
    return library, base


class LitellmUpstream:
    """An `Upstream` for one provider of litellm's. `options` are handed to every call (api_version, region…)."""

    def __init__(
        self,
        provider: str,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        options: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        allow_private: bool = False,
    ) -> None:
        """Raises ValueError for options that would let litellm route on its own."""
        wrong = _OPTIONS_REFUSED.intersection(options or {})
        if wrong:
            raise ValueError(f"options: {min(wrong)!r} cannot be set here; the router itself decides it")
        self._provider = provider
        self._api_key = api_key
        self._base_url = base_url
        self._allow_private = allow_private
        self._fixed = {"drop_params": True, **(options or {})}
        if headers:
            self._fixed["extra_headers"] = dict(headers)
        self._library: Any = None
        self._errors: type[Exception] = Exception  # what litellm raises; known once it is imported
        self._starting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Import the library, in a thread. Raises ValueError for a private `base_url` without `allow_private`."""
        async with self._starting:
            if self._library is None:
                await self._check_address()
                self._library, self._errors = await asyncio.to_thread(load_library)

    async def send(self, call: Call) -> "ScheduledReply | StreamedReply":
        """Translate, call, translate back."""
        if self._library is None:
            try:
                await self.start()
            except (ImportError, ValueError) as error:
                raise UpstreamFault(Outcome.OTHER, f"the provider cannot be used: {error}") from error
        if call.document is None or not call.path.endswith(("/chat/completions", "/embeddings")):
            message = f"{call.path!r} is not available at a provider that is reached through litellm"
            return _error(404, message, "invalid_request_error", "unknown_url", {})
        library = self._library
        try:
            if call.path.endswith("/embeddings"):
                answer = await library.aembedding(**self._arguments(call, call.document, _EMBEDDING_FIELDS))
                return _json(answer.model_dump_json().encode())
            answer = await library.acompletion(**self._arguments(call, call.document, _FIELDS))
        except self._errors as error:
            return self._answered(error, call)
        if call.stream:
            return StreamedReply(answer, self._errors, self._closing, idle_s=call.timeouts.idle_s)
        return _json(orjson.dumps(pruned(answer.model_dump())))

    async def aclose(self) -> None:
        """Wait for connections that are being closed."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=5)

    def _arguments(self, call: Call, document: Mapping[str, Any], fields: frozenset[str]) -> dict[str, Any]:
        given = {name: value for name, value in document.items() if name in fields}
        return given | self._fixed | {
            "model": f"{self._provider}/{call.target.model}",
            "api_key": call.credential or self._api_key,
            "api_base": self._base_url,
            "timeout": call.timeouts.total_s,
            "num_retries": 0,
            "max_retries": 0,
            "_skip_mcp_handler": True,  # else tools make it import its proxy, which is not installed
        }  # fmt: skip

    def _answered(self, error: Any, call: Call) -> ScheduledReply:
        """The HTTP answer behind an exception of litellm's, or a fault when there was none."""
        library, name = self._library, type(error).__name__
        if isinstance(error, library.exceptions.Timeout):
            raise UpstreamFault(Outcome.HEADER_TIMEOUT, f"no answer within {call.timeouts.total_s:g} s") from error
        fault = connection_fault(error)
        if fault is not None:
            raise UpstreamFault(fault, f"the provider cannot be reached ({fault.value})") from error
        if isinstance(error, library.exceptions.APIConnectionError):
            raise UpstreamFault(Outcome.OTHER, "litellm could not make this call") from error
        status = status_of(error)
        kind = "invalid_request_error" if status < 500 and status != 429 else "server_error"
        return _error(status, said(error), kind, CODES.get(name), waiting_headers(error))

    async def _check_address(self) -> None:
        if self._base_url is None:
            return
        host = urlsplit(self._base_url).hostname or ""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except socket.gaierror:
            return  # not resolvable now: the call itself will say so
        for *_, address in found:
            reason = refusal(str(address[0]), allow_private=self._allow_private)
            if reason is not None:
                raise ValueError(f"base_url of provider {self._provider!r}: {host!r} is refused: {reason}")


class StreamedReply:
    """litellm's chunks as SSE bytes."""

    status = 200
    headers = SSE_HEADERS

    def __init__(
        self, chunks: Any, errors: type[Exception], closing: set[asyncio.Task[None]], *, idle_s: float
    ) -> None:
        self._chunks = chunks
        self._iterator: AsyncIterator[Any] = aiter(chunks)
        self._errors = errors
        self._closing = closing
        self.idle_s = idle_s
        self._ended = False

    async def read(self) -> bytes:
        """The next event. A provider's error in the stream becomes an error event; a cut raises UpstreamFault."""
        if self._ended:
            return b""
        try:
            async with asyncio.timeout(self.idle_s):
                chunk = await anext(self._iterator)
        except StopAsyncIteration:
            self._ended = True
            return b"data: [DONE]\n\n"
        except TimeoutError as error:
            raise UpstreamFault(Outcome.IDLE_TIMEOUT, f"nothing arrived for {self.idle_s:g} s") from error
        except self._errors as error:
            self._ended = True
            return self._broken(error)
        return b"data: " + orjson.dumps(pruned(chunk.model_dump())) + b"\n\n"

    async def body(self, limit_bytes: int = 32 * 1024 * 1024) -> bytes:
        """Everything to the end. Raises UpstreamFault beyond `limit_bytes`."""
        return await read_whole(self, limit_bytes)

    def close(self) -> None:
        """Cut the provider's connection unless the end was reached. litellm closes in a task, owned by the upstream."""
        if self._chunks is None:
            return
        task = asyncio.get_running_loop().create_task(_cut(self._chunks))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self._chunks, self._ended = None, True

    @staticmethod
    def _broken(error: Any) -> bytes:
        name, status = type(error).__name__, getattr(error, "status_code", None)
        if status is None or name in {"APIConnectionError", "Timeout"} or connection_fault(error) is not None:
            raise UpstreamFault(Outcome.TRUNCATED, "the stream broke off") from error
        shown = {
            "message": said(error),
            "type": "server_error",
            "param": None,
            "code": CODES.get(name),
            "status": status,
        }
        return b"data: " + orjson.dumps({"error": shown}) + b"\n\n"


def pruned(document: dict[str, Any]) -> dict[str, Any]:
    """An answer or chunk of litellm's without its own additions and without nulls inside deltas."""
    for choice in document.get("choices") or ():
        for part in ("delta", "message"):
            if isinstance(choice.get(part), dict):
                kept = {name: value for name, value in choice[part].items() if value is not None}
                if part == "message":
                    kept.setdefault("content", None)
                choice[part] = kept
    if document.get("usage") is None:
        document.pop("usage", None)
    return document


async def _cut(chunks: Any) -> None:
    """Close litellm's stream and the HTTP response below it, which litellm's own `aclose` leaves open.

    The response is only known to the generator over its lines, so it is taken from there.
    """
    stream = getattr(chunks, "completion_stream", None)
    await chunks.aclose()
    lines = getattr(stream, "streaming_response", None)
    frame = getattr(lines, "ag_frame", None)
    response = frame.f_locals.get("self") if frame is not None else None
    if response is not None and hasattr(response, "aclose"):
        await response.aclose()


def _json(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> ScheduledReply:
    return ScheduledReply(status, {**JSON_HEADERS, **(headers or {})}, [Piece(0.0, content)], clock=Clock())


def _error(status: int, message: str, kind: str, code: str | None, headers: Mapping[str, str]) -> ScheduledReply:
    text = message.encode("utf-8", "replace").decode()
    error = {"message": text, "type": kind, "param": None, "code": code}
    return _json(orjson.dumps({"error": error}), status, headers)
