"""Every other OpenAI call (embeddings, moderations, completions, audio, images), under the same plan and record.

The body goes out as it came (but for the model's name); answers that are JSON objects gain `metadata`, and every
answer carries the `x-rr-*` summary. What is asked for as a stream, and speech always, leaves as it comes.
"""

from collections.abc import Awaitable

import orjson

from router.flow import CutShort, Flow
from router.metadata import check_metadata
from router.refusal import Refusal
from router.relay import Stream
from router.router import Caller, Completion, Parcel

from .chat import answer_whole, refuse
from .documents import JsonObject, check_model, parse
from .exchange import Exchange, header_pairs
from .faults import ClientGone, refused
from .forms import form_fields
from .limits import Permit
from .site import Site, settle
from .wire import EVENT_STREAM, permit_headers, summary

JSON_PATHS = (
    "/completions",
    "/embeddings",
    "/moderations",
    "/audio/speech",
    "/images/generations",
)
FORM_PATHS = (
    "/audio/transcriptions",
    "/audio/translations",
    "/images/edits",
    "/images/variations",
)
ALWAYS_STREAMED = frozenset({"/audio/speech"})
USUAL_MODELS = {
    "/moderations": "omni-moderation-latest",
    "/images/generations": "dall-e-2",
    "/images/edits": "dall-e-2",
    "/images/variations": "dall-e-2",
}


class Passage:
    """One path that is passed through. `path` is below /v1."""

    def __init__(self, site: Site, path: str) -> None:
        self._site = site
        self._path = path

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one call. Raises Refusal, ClientGone."""
        site = self._site
        principal = site.principal(exchange.headers)
        body = await exchange.body(site.body_limit_bytes)
        content_type = exchange.header("content-type") or "application/json"
        document, asked = self._read(content_type, body)
        if document is not None and document is not asked:
            document, body = asked, orjson.dumps(asked)
        caller = site.caller(exchange, principal)
        site.check_scope(principal, {**asked, "messages": []}, caller)
        permit = await site.admit(
            exchange, principal, size_bytes=len(body) if document is not None else 0, document=asked
        )
        parcel = Parcel(self._path, body, document, content_type, asked["model"])
        try:
            if self._path in ALWAYS_STREAMED or asked.get("stream") in (True, "true"):
                await exchange.watched(self._stream(exchange, permit, parcel, caller))
            else:
                await exchange.watched(answer_whole(site, exchange, permit, self._whole(parcel, caller)))
        finally:
            permit.release()

    def _whole(self, parcel: Parcel, caller: Caller) -> Awaitable[Completion]:
        return self._site.router.passthrough(
            parcel.path,
            parcel.body,
            parcel.document,
            content_type=parcel.content_type,
            model=parcel.model,
            caller=caller,
        )

    async def _stream(self, exchange: Exchange, permit: Permit, parcel: Parcel, caller: Caller) -> None:
        try:
            answer = await self._site.router.flow(parcel, caller)
        except Refusal as refusal:
            settle(permit, refusal.record)
            self._site.note(exchange, refusal)
            await refuse(exchange, refusal, permit)
            return
        try:
            await _relay(exchange, permit, answer)
        finally:
            answer.close()
            settle(permit, answer.record)

    def _read(self, content_type: str, body: bytes) -> tuple[JsonObject | None, JsonObject]:
        """The document, where the body is JSON, and what was asked for in any case."""
        if content_type.lower().startswith("multipart/form-data"):
            form: JsonObject = dict(form_fields(content_type, body, ("model", "user", "stream")))
            if not form.get("model") and self._path in USUAL_MODELS:
                form["model"] = self._usual()
            check_model(form)
            return None, form
        if self._path in FORM_PATHS:
            message = f"POST /v1{self._path} takes multipart/form-data, not {content_type[:80]!r}."
            raise refused(400, message, code="invalid_content_type")
        document = asked = parse(body)
        if self._path in USUAL_MODELS and document.get("model") is None:
            asked = {**document, "model": self._usual()}
        check_model(asked)
        check_metadata(asked.get("metadata"), "metadata")
        return document, asked

    def _usual(self) -> str:
        """Who answers when no model is named: OpenAI's usual one where somebody serves it, else whoever is here."""
        usual = USUAL_MODELS[self._path]
        return usual if self._site.router.serves(usual) else "auto"


async def _relay(exchange: Exchange, permit: Permit, answer: Stream | Flow) -> None:
    known = summary(answer.record, started_s=exchange.started_s, serving=answer.serving, running_s=answer.running_s)
    headers = permit_headers(permit) + header_pairs(known)
    if not answer.content_type.startswith("text/event-stream"):
        headers.append((b"content-type", answer.content_type.encode("latin-1", "replace")))
        headers.append((b"x-accel-buffering", b"no"))
    else:
        headers += EVENT_STREAM
    await exchange.begin(200, headers)
    try:
        while piece := await answer.read():
            await exchange.write(piece)
    except CutShort:
        raise ClientGone from None  # without its end the server cuts the connection: the reader sees it is not whole
    await exchange.write(b"", more=False)
