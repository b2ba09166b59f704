"""What is wrong with a policy: a path into it and a sentence, so that a loader can point at file, line and column."""

PathPart = str | int
Path = tuple[PathPart, ...]


class PolicyError(ValueError):
    """A policy that cannot be true to its word.

    `path` leads to the offending value, e.g. `("routes", 0, "variants", 1, "weight")`; `message` says what is wrong
    and what would be right, without naming the path again.
    """

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        self.message = message
        super().__init__(f"{self.place}: {message}" if path else message)

    @property
    def place(self) -> str:
        """The path as people write it, e.g. `routes[0].variants[1].weight`."""
        spelled = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return spelled.removeprefix(".")
