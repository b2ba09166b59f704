"""Tracing with OpenTelemetry, switched on by its own environment variables; off, nothing of it is imported.

On when `OTEL_TRACES_EXPORTER` is `otlp` or `console`, or when an OTLP endpoint is named. Needs the extra `otel`.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .spans import Spans

log = logging.getLogger("router.tracing")
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def exporter_of(environ: Mapping[str, str]) -> str | None:
    """`otlp` or `console`; None: tracing is off. Raises ValueError for an exporter or protocol that is not offered."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    named = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if named == "none" or (not named and not any(environ.get(name) for name in ENDPOINTS)):
        return None
    if named not in ("", "otlp", "console"):
        raise ValueError(f"OTEL_TRACES_EXPORTER: {named[:40]!r} is none of otlp, console, none")
    protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if named != "console" and protocol not in (None, "", "http/protobuf"):
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL: {protocol[:40]!r} is not offered; use http/protobuf")
    return named or "otlp"


def open_tracing(environ: Mapping[str, str]) -> "Spans | None":
    """What the environment asks for; None when it asks for nothing, or (with a warning) for what cannot be had."""
    try:
        exporter = exporter_of(environ)
        if exporter is None:
            return None
        from .spans import Spans  # noqa: PLC0415  a second of imports that most do without

        return Spans.exported(exporter, content=environ.get(CONTENT, "").lower() == "true")
    except ImportError:
        why = "the extra is not installed; pip install 'realtime-router[otel]'"
    except ValueError as error:
        why = str(error)
    log.warning("tracing is off", extra={"fields": {"why": why}})
    return None
