"""Every other OpenAI call (embeddings, moderations, completions, audio, images), under the same plan and record.

The body goes out as it came (but for the model's name); answers that are JSON objects gain `metadata`, and every
answer carries the `x-rr-*` summary.
"""

from collections.abc import Awaitable

import orjson

from router.refusal import Refusal
from router.router import Completion

from .chat import refuse
from .documents import JsonObject, check_metadata, check_model, parse
from .exchange import Exchange
from .faults import refused
from .forms import form_fields
from .limits import Permit
from .site import Site, settle
from .wire import permit_headers, summary

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
USUAL_MODELS = {"/moderations": "omni-moderation-latest", "/images/generations": "dall-e-2"}
USUAL_FORM_MODEL = {"/images/edits": "dall-e-2", "/images/variations": "dall-e-2"}


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
        permit = await site.admit(principal, size_bytes=len(body) if document is not None else 0, document=asked)
        call = site.router.passthrough(
            self._path, body, document, content_type=content_type, model=asked["model"], caller=caller
        )
        try:
            await exchange.watched(self._answer(exchange, permit, call))
        finally:
            permit.release()

    def _read(self, content_type: str, body: bytes) -> tuple[JsonObject | None, JsonObject]:
        """The document, where the body is JSON, and what was asked for in any case."""
        if content_type.lower().startswith("multipart/form-data"):
            form: JsonObject = dict(form_fields(content_type, body, ("model", "user", "stream")))
            if self._path in USUAL_FORM_MODEL:
                form.setdefault("model", USUAL_FORM_MODEL[self._path])
            check_model(form)
            return None, form
        if self._path in FORM_PATHS:
            message = f"POST /v1{self._path} takes multipart/form-data, not {content_type[:80]!r}."
            raise refused(400, message, code="invalid_content_type")
        document = asked = parse(body)
        if self._path in USUAL_MODELS and document.get("model") is None:
            asked = {**document, "model": USUAL_MODELS[self._path]}
        check_model(asked)
        check_metadata(asked.get("metadata"), "metadata")
        return document, asked

    async def _answer(self, exchange: Exchange, permit: Permit, call: Awaitable[Completion]) -> None:
        try:
            completion = await call
        except Refusal as refusal:
            settle(permit, refusal.record)
            await refuse(exchange, refusal, permit)
            return
        settle(permit, completion.record)
        headers = summary(completion.record, started_s=exchange.started_s) + permit_headers(permit)
        headers.append((b"content-type", completion.content_type.encode("latin-1", "replace")))
        await exchange.respond(completion.status, completion.body, headers)
