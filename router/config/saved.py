"""Routers that were saved over the control plane, laid over those of the files."""

from collections.abc import Mapping
from dataclasses import replace

from .document import parse
from .load import Config, RouterSource
from .router_file import RouterFile


def source_of(router: RouterFile) -> RouterSource:
    """A saved router as if it had come from a file: complaints have a place in its JSON."""
    file = f"saved router {router.router}"
    text = router.model_dump_json(exclude_unset=True, indent=1)
    return RouterSource(file, router, text, parse(text, file))


def with_routers(config: Config, saved: Mapping[str, RouterFile | None]) -> Config:
    """`config` with `saved` routers in the place of the files' own; None: taken away."""
    kept = tuple(source for source in config.routers if source.router.router not in saved)
    return replace(config, routers=(*kept, *(source_of(router) for router in saved.values() if router is not None)))
