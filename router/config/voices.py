"""Drop-in names: what OpenAI's and Inworld's model and voice names mean where no configured provider serves them."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from .realtime import Realtime


@cache
def shipped_names() -> Mapping[str, Any]:
    """`router/defaults/names.json`: `models` by kind, and `voices`."""
    names: Mapping[str, Any] = json.loads(files("router").joinpath("defaults/names.json").read_text("utf-8"))
    return names


def shipped_aliases(realtime: Realtime) -> dict[str, str]:
    """Every realtime, transcription and speech name of OpenAI and Inworld -> the session's configured model."""
    models = shipped_names()["models"]
    meant = {
        "realtime": realtime.model,
        "transcription": realtime.transcription.model,
        "speech": realtime.speech.model,
    }
    return {name: target for kind, target in meant.items() for name in models[kind] if name != target}


def shipped_voices() -> dict[str, str]:
    """Every voice name of OpenAI and Inworld -> a local voice."""
    return dict(shipped_names()["voices"])
