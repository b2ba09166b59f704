"""What a request is told that nobody here can answer: what was asked for, what there is, and what looks like it."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from .facts import Facts
from .lineup import IGNORED, NOBODY
from .naming import AUTO, ROUTER
from .plan import Candidate
from .refusal import BadRoutingField, RoutingRefusal, UnknownModel, UnknownRouter
from .targets import Targets


def unknown_router(name: str, known: Collection[str]) -> UnknownRouter:
    """A model string that names a router, and there is none of that name."""
    near = [f"{ROUTER}{other}" for other in get_close_matches(name, known, n=3)]
    return UnknownRouter(
        f"there is no router {name!r}; configured are: {', '.join(sorted(known)) or 'none'}", near=near
    )


def unknown_model(targets: Targets, model: str, alias: str | None, routers: Iterable[str]) -> UnknownModel:
    """A model string, or what it stands for, that no provider serves. `routers` are model strings, to suggest."""
    if alias is not None:
        return UnknownModel(f"{model!r} stands for {alias!r}, which {NOBODY} serves; {_configured(targets)}")
    prefix, slash, _ = model.partition("/")
    near = targets.near(model, routers)
    if slash and targets.provider(prefix) is None:
        message = f"model {model!r}: provider {prefix!r} is not configured; {_configured(targets)}"
        return UnknownModel(message, near=near or targets.near_providers(prefix))
    remedy = "add the one that has it, or an alias"
    return UnknownModel(f"model {model!r} is served by {NOBODY}; {_configured(targets)}; {remedy}", near=near)


def nobody_fits(targets: Targets, candidates: Sequence[Candidate], facts: Facts) -> RoutingRefusal:
    """Why nothing of a lineup can be tried."""
    if any(candidate.skipped == IGNORED for candidate in candidates) or facts.options.ignore:
        return BadRoutingField("ignore: leaves no model that could answer", param="ignore")
    if facts.options.models and facts.model == AUTO:
        return BadRoutingField("models: no entry is served by a configured provider", param="models")
    if not candidates and facts.model == AUTO and facts.kind != "chat":
        kind = facts.kind.replace("_", " ")
        return UnknownModel(f"no configured provider has a model for {kind}; {_configured(targets)}")
    named = ", ".join(repr(candidate.target.name) for candidate in candidates) or "anything"
    return UnknownModel(f"{facts.model!r} leads to {named}, and {NOBODY} serves that; {_configured(targets)}")


def _configured(targets: Targets) -> str:
    return f"configured are: {', '.join(targets.providers) or 'none'}"
