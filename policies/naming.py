"""What a model string names before anybody looks it up: `router/NAME` (Inworld: `inworld/NAME`), `auto`, or a model."""

AUTO = "auto"
ROUTER = "router/"
INWORLD = "inworld/"
HOSTED = "inworld/models/"  # models that Inworld serves: no routers


def router_in(model: str) -> str | None:
    """The name of the router that a model string means; None where it means a model."""
    if not model.startswith((ROUTER, INWORLD)) or model.startswith(HOSTED):
        return None
    return model.partition("/")[2]
