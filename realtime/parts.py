"""What voice needs on this machine, looked for by `check` and `serve` before anybody connects. Imports nothing heavy.

A server file with a `realtime` section wants voice, so what is missing is an error there. Without the section the
server may be one that only chats: then it is a warning, and a voice client is refused with 503.
"""

import importlib.util
import os
from collections.abc import Iterator

from router.config import Config, Realtime
from router.config.findings import Finding

from .stages.weights import VOICE_EXTRA, VoiceUnavailable, silero_weights, smart_turn_path

EARS = ("local/pocketsphinx", "local/auto")


def voice_findings(config: Config) -> list[Finding]:
    """What is missing, with the remedy; errors when the configuration asks for voice."""
    asked = bool(config.realtime.model_fields_set)
    file = str(config.path or "defaults")
    return [
        Finding(file, message, path=path, remedy=remedy, severity="error" if asked and fatal else "warning")
        for path, message, remedy, fatal in _missing(config.realtime)
    ]


def _missing(realtime: Realtime) -> Iterator[tuple[str, str, str | None, bool]]:
    """Setting, message, remedy, and whether nothing of voice works without it."""
    if importlib.util.find_spec("numpy") is None:
        yield "realtime", "voice sessions need the package 'numpy', which is not installed", VOICE_EXTRA, True
        return
    try:
        silero_weights(realtime.vad_weights)
    except VoiceUnavailable as error:
        yield "realtime.vad_weights", str(error), error.remedy or VOICE_EXTRA, True
    try:
        smart_turn_path(realtime.turn_model)
    except VoiceUnavailable as error:
        remedy = error.remedy or "give the path of that file, or 'auto', or null to judge turns by their words"
        yield "realtime.turn_model", str(error), remedy, True
    hearing = realtime.transcription
    if hearing.grammar is not None and not os.access(hearing.grammar, os.R_OK):
        yield "realtime.transcription.grammar", f"cannot read {hearing.grammar!r}", "give the path of a JSGF file", True
    if hearing.model in EARS and importlib.util.find_spec("pocketsphinx") is None:
        message = f"{hearing.model} needs the package 'pocketsphinx', which is not installed"
        yield "realtime.transcription.model", message, f"{VOICE_EXTRA}, or name another model", False
