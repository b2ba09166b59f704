"""Requests that cannot be routed. Each refusal knows its own face: HTTP status, OpenAI type, code and parameter.

RoutingRefusal
├── UnknownModel      404 model_not_found
├── UnknownRouter     404 router_not_found
├── NoRouteMatched    400 no_route_matched
└── BadRoutingField   400 invalid_routing_field
"""

from collections.abc import Sequence

NO_ROUTE_MATCHED = "No route matched. Configure a default route or adjust conditions."


class RoutingRefusal(Exception):  # noqa: N818  a refusal is no fault of ours
    """The client asked for something that cannot be routed. The message is safe to show."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_routing_field"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class UnknownModel(RoutingRefusal):
    """Nobody serves the model; `near` are names that look like it."""

    status = 404
    code = "model_not_found"

    def __init__(self, message: str, *, near: Sequence[str] = (), param: str = "model") -> None:
        super().__init__(message + suggestion(near), param=param)
        self.near = tuple(near)


class UnknownRouter(RoutingRefusal):
    """No router of that id; `near` are ids that look like it."""

    status = 404
    code = "router_not_found"

    def __init__(self, message: str, *, near: Sequence[str] = (), param: str = "model") -> None:
        super().__init__(message + suggestion(near), param=param)
        self.near = tuple(near)


class NoRouteMatched(RoutingRefusal):
    """Every condition was false and there is no default route."""

    code = "no_route_matched"

    def __init__(self) -> None:
        super().__init__(NO_ROUTE_MATCHED, param="model")


class BadRoutingField(RoutingRefusal):
    """A routing field of the request (`models`, `sort`, `ignore`, `provider`, ...) makes no sense."""

    def __init__(self, message: str, *, param: str) -> None:
        super().__init__(message, param=param)


def suggestion(near: Sequence[str]) -> str:
    """`; did you mean 'a' or 'b'?`, or nothing."""
    return f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
