"""The session in the body of a REST call: the same shapes and refusals as on the socket."""

from typing import Any

from . import vocabulary
from .dialect import Dialect
from .patches import beta_patch, session_patch


def read_session(session: Any, dialect: Dialect, *, listening: bool = False) -> dict[str, Any]:
    """The patch this session makes of the defaults. Raises Refusal, whose `fault` names the field.

    `listening` is for beta's `/realtime/transcription_sessions`, whose sessions carry no type.
    """
    if dialect is Dialect.BETA:
        shape = vocabulary.BETA_LISTENING if listening else vocabulary.BETA_SESSION
        shape.check(session, "session")
        return beta_patch(session, listening=listening)
    vocabulary.session(dialect).check(session, "session")
    return session_patch(session, dialect)
