"""Closed label sets: what a label may say. Everything else is `other`; absent is `none`; no router is `direct`."""

from collections.abc import Callable
from dataclasses import dataclass

from policies import Attempt

OTHER, NONE, DIRECT = "other", "none", "direct"

TURNED_AWAY = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "limited",
    500: "internal_error",
    503: "shed",
}  # refused before a decision, by status; any other is `other`


def _nothing(_name: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class LabelSets:
    """Names of the configuration in force. `routes` are "router/route id"; `known` tells listed targets."""

    routes: frozenset[str] = frozenset()
    variants: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    known: Callable[[str], bool] = _nothing

    def route(self, router: str | None, route: str | None) -> str:
        """Router and route, e.g. "support/default"."""
        if router is None:
            return DIRECT
        name = f"{router}/{route}"
        return name if name in self.routes else OTHER

    def variant(self, name: str | None) -> str:
        """The variant's id."""
        if name is None:
            return NONE
        return name if name in self.variants else OTHER

    def target(self, name: str) -> str:
        """A target of the configuration or of the catalogue."""
        return name if name in self.targets or self.known(name) else OTHER


def protocol_of(attempt: Attempt) -> str:
    """Attempts of a voice session carry their stage."""
    return "chat" if attempt.stage is None else "realtime"
