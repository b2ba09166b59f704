"""JSON text to events and back: the only place that knows wire names. One `Codec` per connection, per dialect."""

from .codec import Codec, Dialect

__all__ = ["Codec", "Dialect"]
