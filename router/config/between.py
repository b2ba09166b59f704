"""What is wrong only between the parts of a configuration: keys, salts and layer slots that two of them claim."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from .document import Node, Path, place, spell
from .findings import ConfigError, Finding
from .models import Provider, ServerFile
from .router_file import Layer

if TYPE_CHECKING:
    from .load import RouterSource


def check_server(file: ServerFile, providers: Mapping[str, Provider], name: str, root: Node | None) -> None:
    """Raise ConfigError for keys that cannot be told apart, and for providers that nobody knows how to reach."""
    found: list[Finding] = []

    def complain(path: Path, message: str, *, key: bool = False) -> None:
        line, column = place(root, path, key=key) if root is not None else (1, 1)
        shown = spell(root, path) if root is not None else ".".join(map(str, path))
        found.append(Finding(name, message, line, column, shown))

    for provider, given in providers.items():
        if given.kind == "openai" and given.base_url is None:
            complain(("providers", provider), "base_url is needed for kind 'openai'", key=True)
    ids: set[str] = set()
    secrets: dict[str, str] = {}
    for position, entry in enumerate(file.auth.keys):
        secret = entry.secret.get_secret_value()
        if entry.id in ids:
            complain(("auth", "keys", position, "id"), f"the key id {entry.id!r} is used twice")
        elif secret in secrets:
            complain(("auth", "keys", position, "secret"), f"is the secret of key {secrets[secret]!r}, too")
        ids.add(entry.id)
        secrets.setdefault(secret, entry.id)
    if found:
        raise ConfigError(found)


def shared(routers: Iterable["RouterSource"]) -> list[Finding]:
    """Salts and layer slots that two routers claim: their draws would be tied together, or a unit in both."""
    found: list[Finding] = []
    salts: dict[str, str] = {}
    layers: list[tuple[str, Layer]] = []
    for source in routers:
        router = source.router
        salt = router.salt or router.router
        if salt in salts:
            message = f"salt {salt!r} is also used by router {salts[salt]!r}: their draws would be tied together"
            found.append(_finding(source, ("salt",), message))
        salts.setdefault(salt, router.router)
        layer = router.experiment.layer if router.experiment is not None else None
        if layer is None:
            continue
        for other, taken in layers:
            if taken.name == layer.name and _overlap(taken, layer):
                message = f"overlaps slots {_slots(taken)} of router {other!r} in layer {layer.name!r}"
                found.append(_finding(source, ("experiment", "layer", "slots"), message))
        layers.append((router.router, layer))
    return found


def _finding(source: "RouterSource", path: Path, message: str) -> Finding:
    line, column = place(source.root, path)
    return Finding(source.file, message, line, column, spell(source.root, path))


def _overlap(one: Layer, other: Layer) -> bool:
    return one.slots[0] < other.slots[1] and other.slots[0] < one.slots[1]


def _slots(layer: Layer) -> str:
    return f"{layer.slots[0]:g} to {layer.slots[1]:g}"
