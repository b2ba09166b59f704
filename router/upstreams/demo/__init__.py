"""The demo provider: deterministic, offline, no key. Its front door is `DemoUpstream`."""

from .upstream import PERSONALITIES, DemoUpstream, Personality

__all__ = ["PERSONALITIES", "DemoUpstream", "Personality"]
