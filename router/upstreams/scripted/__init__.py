"""The scripted upstream: every way a provider can fail, chosen by the model's name.

`ScriptedUpstream` plays the scripts inside the process; `ScriptedServer` (and `python -m router.upstreams.scripted`)
plays the same scripts over a real socket. Both keep a log of what they saw, to compare with `metadata.attempts`.
"""

from .answer import CANONICAL
from .faults import FAULTS, script_for
from .journal import Journal, Seen
from .script import Asked, End, Script
from .server import ScriptedServer
from .upstream import ScriptedUpstream

__all__ = [
    "CANONICAL",
    "FAULTS",
    "Asked",
    "End",
    "Journal",
    "Script",
    "ScriptedServer",
    "ScriptedUpstream",
    "Seen",
    "script_for",
]
