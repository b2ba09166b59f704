"""`serve`: configuration to a listening server that reloads, drains, and says why it cannot begin."""

import contextlib
import errno
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rich.console import Console
from uvicorn._types import ASGI3Application

from router.config import Config, ConfigError, load
from router.config.providers import ollama_answers
from router.logs import FORMATS, LEVELS, Logging, set_up
from router.records import passwords_of
from router.server import Binding, Hooks, Settings, serve

from .app import build
from .parts import voice_findings
from .welcome import shown, welcome

log = logging.getLogger("realtime.serving")
LOOPBACK = ("localhost", "::1")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The flags of `serve`; None: not given, so the file's word holds."""

    config: Path | None = None
    host: str | None = None
    port: int | None = None
    workers: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    tls_dev: bool = False
    log_level: str = "info"
    log_format: str = "text"


def run(wanted: Wanted, environ: Mapping[str, str] | None = None) -> int:
    """Serve until told to stop; the exit code."""
    environ = os.environ if environ is None else environ
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    if wanted.log_level not in LEVELS or wanted.log_format not in FORMATS:
        err.print(f"error: log level is one of {', '.join(LEVELS)}, log format is text or json", markup=False)
        return 2
    with contextlib.closing(set_up(level=wanted.log_level, form=wanted.log_format)) as logs:
        return _run(wanted, environ, err, logs)


def _run(wanted: Wanted, environ: Mapping[str, str], err: Console, logs: Logging) -> int:
    try:
        config = with_local_ollama(load(wanted.config, environ), environ)
        binding = binding_of(wanted, config)
        refusal = refusal_of(binding, config) or unreadable(binding)
        if refusal is not None:
            err.print(f"error: {refusal}", markup=False)
            return 2
        logs.protect(secrets_of(config))
        look_for_voice(config)
        house = build(config, environ)
        house.metrics.lines_lost = lambda: logs.lost
    except ConfigError as error:
        err.print(error.render(), markup=False)
        return 1
    scheme = "https" if binding.certificate else "http"
    hooks = Hooks(
        on_ready=lambda port: welcome(
            Console(highlight=False, soft_wrap=True), f"{scheme}://{shown(binding)}:{port}", house.config
        ),
        on_drain=house.drain,
        on_reload=house.reload,
    )
    try:
        settings = Settings(binding=binding, hooks=hooks, refusals=house.app.refusals())
        return serve(cast("ASGI3Application", house.asgi), settings)
    except OSError as error:
        told = error.strerror or str(error)  # the one who binds names the address already
        at = "" if told.startswith("cannot listen") else f"cannot listen on {binding.host}:{binding.port}: "
        remedy = "; take another port: --port 8081, or 0 for any" if error.errno == errno.EADDRINUSE else ""
        err.print(f"error: {at}{told}{remedy}", markup=False)
        return 1


def look_for_voice(config: Config) -> None:
    """Log what voice lacks. Raises ConfigError when the configuration asks for voice and it cannot be served."""
    found = voice_findings(config)
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        raise ConfigError(errors)
    for finding in found:
        fields = {"what": finding.message, "setting": finding.path, "remedy": finding.remedy}
        log.warning("voice lacks something", extra={"fields": fields})


def with_local_ollama(config: Config, environ: Mapping[str, str]) -> Config:
    """Add Ollama when no file names the providers and its usual port on this machine answers."""
    asked = config.path is None and not environ.get("RR_NO_OLLAMA")
    return config.with_provider("ollama") if asked and ollama_answers() else config


def binding_of(wanted: Wanted, config: Config) -> Binding:
    """Flags over file."""
    certificate, key = wanted.certificate, wanted.key
    if wanted.tls_dev and certificate is None:
        from router.tls_dev import dev_certificate  # noqa: PLC0415  only --tls-dev needs it

        certificate, key = dev_certificate(Path.home() / ".cache" / "realtime-router")
    return Binding(
        host=wanted.host or config.server.host,
        port=config.server.port if wanted.port is None else wanted.port,
        workers=wanted.workers or config.server.workers,
        certificate=certificate,
        key=key,
    )


def refusal_of(binding: Binding, config: Config) -> str | None:
    """Why this address cannot be served, or None: without keys only loopback addresses are."""
    if config.auth.keys or binding.host in LOOPBACK or binding.host.startswith("127."):
        return None
    return (
        f"no API key is configured and {binding.host!r} is not a loopback address: everybody on the network could "
        "spend your provider keys. Add auth.keys to the server file, or listen on 127.0.0.1."
    )


def unreadable(binding: Binding) -> str | None:
    """Which file of the certificate is not there, or None."""
    for flag, path in (("--tls-cert", binding.certificate), ("--tls-key", binding.key)):
        if path is not None and not os.access(path, os.R_OK):
            return f"{flag}: {str(path)!r} cannot be read; give a PEM file, or use --tls-dev for a self-signed one"
    return None


def secrets_of(config: Config) -> list[str]:
    """Every key of the configuration, so that no log line shows one."""
    keys = [key.secret for key in config.auth.keys] + [config.auth.jwt.secret]
    keys += [provider.api_key for provider in config.providers.values() if provider.api_key is not None]
    addresses = (config.records.url or "", config.state.url)
    return [key.get_secret_value() for key in keys] + [word for url in addresses for word in passwords_of(url)]
