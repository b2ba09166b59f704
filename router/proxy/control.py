"""The control plane and its pages: FastAPI, loaded when it is first needed.

Errors carry OpenAI's envelope and gRPC's `code`, `message`, `details` beside it, so that both kinds of reader work.
"""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from router.refusal import Refusal

from . import api_page
from .auth import Principal
from .documents import JsonObject, parse
from .faults import internal, refused
from .front import AsgiApp
from .ops import limit_text, version
from .routers import MOST_PAGE, USUAL_PAGE, MemoryShelf, Routers, Shelf, bare
from .schema import REFUSED, hot_paths, hot_schemas
from .sessions import Effective, Sessions, TokenDesk
from .site import Site

GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 6, 412: 9, 413: 3, 429: 8, 503: 14}


def json(document: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def create_control(site: Site, shelf: Shelf | None, effective: Effective) -> AsgiApp:
    """The FastAPI application behind the front door."""
    app = FastAPI(title="Realtime Router", version=version(), docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_defect)
    _add_routers(app, site, Routers(shelf or _empty_shelf(), wall=site.wall))
    _add_credentials(app, site, effective)
    _add_pages(app)
    return app


def _add_routers(app: FastAPI, site: Site, routers: Routers) -> None:
    def visible(request: Request, router_id: str) -> Principal:
        principal = site.principal(headers_of(request))
        if not principal.may_route(bare(router_id)):
            raise refused(404, f"There is no router {router_id[:128]!r}.", code="router_not_found")
        return principal

    def writable(request: Request, router_id: str) -> None:
        visible(request, router_id)
        site.writer(headers_of(request))

    @app.post("/router/v1/routers", summary="Create a router", tags=["routers"])
    async def create(request: Request) -> Response:
        site.writer(headers_of(request))
        return json(routers.create(parse(await request.body())))

    @app.get("/router/v1/routers", summary="List routers", tags=["routers"])
    async def listed(request: Request) -> Response:
        principal = site.principal(headers_of(request))
        query = request.query_params
        size = limit_text(query.get("page_size", query.get("pageSize", "")), "page_size", USUAL_PAGE, MOST_PAGE)
        token = query.get("page_token", query.get("pageToken", ""))
        return json(routers.page(size, token, principal.may_route))

    @app.get("/router/v1/routers/{router_id:path}", summary="Get a router", tags=["routers"])
    async def get(request: Request, router_id: str) -> Response:
        visible(request, router_id)
        return json(routers.get(router_id))

    @app.patch("/router/v1/routers/{router_id:path}", summary="Update a router", tags=["routers"])
    async def update(request: Request, router_id: str) -> Response:
        writable(request, router_id)
        mask = request.query_params.get("update_mask", request.query_params.get("updateMask"))
        match = request.headers.get("if-match")
        return json(routers.update(router_id, parse(await request.body()), mask=mask, match=match))

    @app.delete("/router/v1/routers/{router_id:path}", summary="Delete a router", tags=["routers"])
    async def delete(request: Request, router_id: str) -> Response:
        writable(request, router_id)
        return json(routers.delete(router_id))

    @app.get("/lro/v1alpha/{name:path}", summary="Poll an operation", tags=["routers"])
    async def operation(request: Request, name: str) -> Response:
        principal = site.principal(headers_of(request))
        found = routers.operation(name)
        if not principal.may_route(found["response"]["name"]):
            raise refused(404, f"There is no operation {name[:128]!r} (any more).", code="operation_not_found")
        return json(found)


def _add_credentials(app: FastAPI, site: Site, effective: Effective) -> None:
    sessions, desk = Sessions(site, effective), TokenDesk(site)

    async def optional(request: Request) -> JsonObject:
        body = await request.body()
        return parse(body) if body.strip() else {}

    @app.post("/v1/sessionTokens/token:generate", include_in_schema=False)  # the address newer clients use
    @app.post("/auth/v1/tokens/token:generate", summary="Mint a session token", tags=["credentials"])
    async def token(request: Request) -> Response:
        if "jwt" not in sys.modules:  # it takes a tenth of a second, and most never need it: not on the loop
            await asyncio.to_thread(importlib.import_module, "jwt")
        return json(desk.generate(request.headers.get("authorization", ""), await optional(request)))

    @app.post("/v1/realtime/client_secrets", summary="Mint a client secret", tags=["credentials"])
    async def client_secret(request: Request) -> Response:
        principal = site.principal(headers_of(request))
        return json(sessions.client_secret(principal, await optional(request)))

    @app.post("/v1/realtime/sessions", summary="Mint a client secret (beta)", tags=["credentials"])
    async def beta_session(request: Request) -> Response:
        principal = site.principal(headers_of(request))
        return json(sessions.beta(principal, await optional(request), "realtime"))

    @app.post("/v1/realtime/transcription_sessions", summary="The same for transcription", tags=["credentials"])
    async def beta_transcription(request: Request) -> Response:
        principal = site.principal(headers_of(request))
        return json(sessions.beta(principal, await optional(request), "transcription"))


def _add_pages(app: FastAPI) -> None:
    def document() -> JsonObject:
        schema: JsonObject = app.openapi()
        schemas = {**schema.get("components", {}).get("schemas", {}), **hot_schemas()}
        security = {"key": {"type": "http", "scheme": "bearer"}}
        components = {"schemas": schemas, "securitySchemes": security}
        for methods in schema["paths"].values():
            for operation in methods.values():
                operation["responses"].setdefault("default", REFUSED)
        return {
            **schema,
            "paths": {**hot_paths(), **schema["paths"]},
            "components": components,
            "security": [{"key": []}],
        }

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return json(document())

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        page = api_page.page_of(document(), str(request.base_url).rstrip("/"))
        headers = {"content-security-policy": api_page.POLICY}
        return Response(page, media_type="text/html; charset=utf-8", headers=headers)


def headers_of(request: Request) -> dict[bytes, bytes]:
    """Request headers as the authenticator reads them."""
    return dict(request.scope["headers"])


def _empty_shelf() -> Shelf:
    def nowhere(_routers: object) -> None:
        raise refused(404, "This server has no shelf for saved routers; use router files.", code="not_supported")

    return MemoryShelf({}, nowhere)


Answer = Callable[[Request, Exception], Awaitable[Response]]


def both(refusal: Refusal) -> Response:
    """OpenAI's envelope with gRPC's fields beside it."""
    body = {**refusal.document(), "code": GRPC.get(refusal.status, 13), "message": refusal.message, "details": []}
    response = json(body, refusal.status)
    response.headers.update(refusal.headers)
    return response


async def _on_refusal(_request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Refusal)  # noqa: S101  registered for this class only
    return both(fault)


async def _on_validation(_request: Request, fault: Exception) -> Response:
    errors = fault.errors() if isinstance(fault, RequestValidationError) else []
    first = errors[0] if errors else {"loc": (), "msg": "invalid request"}
    param = ".".join(str(part) for part in first["loc"][1:])
    return both(refused(400, str(first["msg"]), code="invalid_value", param=param or None))


async def _on_http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)  # noqa: S101  registered for this class only
    if fault.status_code == 404:
        message = f"Unknown path {request.url.path[:200]!r}; /openapi.json lists what is served."
        return both(refused(404, message, code="unknown_url"))
    if fault.status_code == 405:
        allowed = ", ".join(sorted(methods_at(request))) or "another"
        message = f"{request.method} is not served at {request.url.path[:200]!r}; use {allowed}."
        return both(refused(405, message, code="method_not_allowed", headers={"Allow": allowed}))
    return both(refused(fault.status_code, str(fault.detail)))


def methods_at(request: Request) -> set[str]:
    """Every method that some route serves at the request's path."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return found


async def _on_defect(request: Request, _fault: Exception) -> Response:
    return Response(internal(request.scope.get("rr.request_id", "")).body(), 500, media_type="application/json")
