"""The one error of this package: a broken promise of our own, never a client's mistake."""


class BrokenInvariantError(Exception):
    """The shell or the machine broke the protocol between them: close with 1011 and count a bug."""
