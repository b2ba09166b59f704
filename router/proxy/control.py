"""The control plane: FastAPI, loaded when it is first needed."""

from .front import AsgiApp
from .routers import Shelf
from .site import Site


def create_control(site: Site, shelf: Shelf | None) -> AsgiApp:
    """The FastAPI application behind the front door."""
    raise NotImplementedError
