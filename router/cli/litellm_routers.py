"""What comes of a group of LiteLLM's deployments: an alias, a router that splits by weight, or one that sorts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from router.config.document import Path


@dataclass(slots=True)
class Imported:
    """What came out. `notes` name what could not be translated, or not quite, with the places where it stands."""

    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    routers: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    prices: dict[str, dict[str, float]] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, list[Path]] = field(default_factory=dict)

    def note(self, text: str, *place: str | int) -> None:
        """Remember it, once for all its places."""
        self.notes.setdefault(text, []).append(place)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of model_list, translated. `shares`: its weight, rpm and tpm, as far as given."""

    model: str
    shares: Mapping[str, float]
    parameters: Mapping[str, Any]
    timeouts: Mapping[str, float]


def add_group(
    name: str, deployments: Sequence[Deployment], fallbacks: list[str], imported: Imported, *, sort: str | None
) -> None:
    """Add what `deployments`, the entries of one `model_name`, become; `fallbacks` are model strings."""
    first = deployments[0]
    if len(deployments) == 1 and not (fallbacks or first.parameters or first.timeouts):
        if name != first.model:
            imported.aliases[name] = first.model
        return
    router = _free_name(re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "router", imported)
    document: dict[str, Any] = {"router": router}
    timeouts = {
        key: max(one.timeouts.get(key, 0) for one in deployments) for one in deployments for key in one.timeouts
    }
    if timeouts:
        document["timeouts"] = timeouts
    variants = _sorted(deployments, sort) if sort and len(deployments) > 1 else _split(deployments)
    document["default"] = {"id": "default", "variants": variants}
    others = [model for model in fallbacks if model not in {one.model for one in deployments}]
    if others:
        document["fallbacks"] = others
    imported.routers[router] = document
    imported.aliases[name] = f"router/{router}"


def _free_name(wanted: str, imported: Imported) -> str:
    """A router's name (and its file's, where case may not count) that no other has yet."""
    taken = {name.lower() for name in imported.routers}
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in names if name.lower() not in taken)


def _sorted(deployments: Sequence[Deployment], sort: str) -> list[dict[str, Any]]:
    models = list(dict.fromkeys(one.model for one in deployments))
    return [{"id": "best", "weight": 100, "model": "auto", "models": models, "sort": [sort]}]


def _split(deployments: Sequence[Deployment]) -> list[dict[str, Any]]:
    measure = next((key for key in ("weight", "rpm", "tpm") if any(key in one.shares for one in deployments)), "")
    shares = [max(one.shares.get(measure, 0.0 if measure else 1.0), 0.0) for one in deployments]
    total = sum(shares) or 1.0
    weights = [round(share / total * 100, 2) for share in shares]
    weights[0] = round(100 - sum(weights[1:]), 2)
    variants = []
    weights = [int(weight) if weight == int(weight) else weight for weight in weights]
    for number, (one, weight) in enumerate(zip(deployments, weights, strict=True), 1):
        others = [other.model for other in deployments if other.model != one.model]
        variant: dict[str, Any] = {"id": f"d{number}", "weight": weight, "model": one.model}
        if others:
            variant["fallbacks"] = list(dict.fromkeys(others))
        if one.parameters:
            variant["parameters"] = dict(one.parameters)
        variants.append(variant)
    return variants
