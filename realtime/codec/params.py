"""Where a setting of ours lives in the session of a dialect, for the `param` of an error.

The machine names settings in its own words (`settings.voice`); what the codec itself refuses has wire names already.
"""

from .dialect import Dialect

_GA = {
    "kind": "type",
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "speech_model": "audio.output.model",
    "speech_language": "audio.output.language",
    "input_format": "audio.input.format",
    "output_format": "audio.output.format",
    "transcription": "audio.input.transcription",
    "noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "provider": "providerData",
}
_BETA = {
    "speech_model": "model",
    "input_format": "input_audio_format",
    "output_format": "output_audio_format",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
    "max_output_tokens": "max_response_output_tokens",
    "provider": "providerData",
}


def wire_param(param: str | None, dialect: Dialect) -> str | None:
    """`settings.transcription.model` as `session.audio.input.transcription.model`; other paths stay as they are."""
    if param is None or not param.startswith("settings."):
        return param
    field, dot, rest = param.removeprefix("settings.").partition(".")
    names = _BETA if dialect is Dialect.BETA else _GA
    return f"session.{names.get(field, field)}{dot}{rest}"
