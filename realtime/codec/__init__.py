"""JSON text to events and back: the only place that knows wire names.

One `Codec` per connection. Outside of the socket: `read_session(json, dialect)` checks the session of a REST call
(client secrets, session tokens) and gives its patch, or raises `Refusal`; `write_session(...)` gives the full session
for the answer; `wire_param(...)` spells the place of a mistake.
"""

from .beta import TO_BETA, in_beta
from .codec import Codec
from .decode import usual_audio
from .dialect import Dialect
from .params import wire_param
from .patches import beta_patch, session_patch
from .reading import read_session
from .sessions import write_session
from .shapes import Refusal

__all__ = [
    "TO_BETA",
    "Codec",
    "Dialect",
    "Refusal",
    "beta_patch",
    "in_beta",
    "read_session",
    "session_patch",
    "usual_audio",
    "wire_param",
    "write_session",
]
