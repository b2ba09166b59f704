"""The whole command line: the first floor's commands, and `serve`, which wires the house."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if TYPE_CHECKING:
    import typer

    from router.config import Config
    from router.config.findings import Finding


def _app() -> "typer.Typer":
    """All commands; made when asked for, so that `--version` does not wait for them."""
    import typer

    from router.cli.app import CHECKS, ConfigOption, app

    if any(command.name == "serve" for command in app.registered_commands):
        return app
    CHECKS.append(_voice_findings)

    @app.command("serve")
    def serve(
        *,
        config: ConfigOption = None,
        host: Annotated[str | None, typer.Option(envvar="RR_HOST", help="Address to listen on.")] = None,
        port: Annotated[
            int | None,
            typer.Option("--port", "-p", envvar=["RR_PORT", "PORT"], min=0, max=65_535, help="Port; 0: any free one."),
        ] = None,
        workers: Annotated[int | None, typer.Option(envvar="RR_WORKERS", min=1, help="Processes.")] = None,
        tls_cert: Annotated[Path | None, typer.Option(help="Certificate, PEM.")] = None,
        tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
        log_level: Annotated[str, typer.Option(envvar="RR_LOG_LEVEL", help="debug, info, warning or error.")] = "info",
        log_format: Annotated[str, typer.Option(envvar="RR_LOG_FORMAT", help="text or json.")] = "text",
        tls_dev: Annotated[
            bool, typer.Option("--tls-dev", help="Make a self-signed certificate (wss: for clients).")
        ] = False,
    ) -> None:
        """Start the router. Without a file: the embedded defaults, and providers from the environment."""
        from .serving import Wanted, run

        wanted = Wanted(
            config=config,
            host=host,
            port=port,
            workers=workers,
            certificate=tls_cert,
            key=tls_key,
            tls_dev=tls_dev,
            log_level=log_level,
            log_format=log_format,
        )
        raise typer.Exit(run(wanted))

    app.registered_commands.insert(0, app.registered_commands.pop())  # where people begin
    _add_talk(app)
    return app


def _voice_findings(config: "Config") -> "list[Finding]":
    from .parts import voice_findings

    return voice_findings(config)


def _add_talk(app: "typer.Typer") -> None:
    import typer

    from router.cli.app import LOCAL_URL, KeyOption, MetadataOption, UrlOption, UserOption

    @app.command("talk")
    def talk(
        wav: Annotated[
            Path | None, typer.Argument(help="A WAV file with a question; none: --say or the microphone.")
        ] = None,
        *,
        say: Annotated[str | None, typer.Option(help="A question, spoken by this machine.")] = None,
        out: Annotated[Path | None, typer.Option(help="Where to write the reply, as WAV.")] = None,
        voice: Annotated[str, typer.Option(help="Who speaks --say: auto, rms, slt, kal16, awb, espeak.")] = "auto",
        model: Annotated[str, typer.Option("--model", "-m", help="router/NAME or a model.")] = "router/demo",
        url: UrlOption = LOCAL_URL,
        key: KeyOption = "",
        user: UserOption = None,
        metadata: MetadataOption = None,
    ) -> None:
        """Ask a running router by voice: transcript, decision, attempts, where the time went, the reply as WAV."""
        from .talk import Talk, run

        asked = Talk(url, model, wav, say, voice, out, key, user, tuple(metadata or ()))
        raise typer.Exit(run(asked))


def __getattr__(name: str) -> Any:
    if name == "app":
        return _app()
    raise AttributeError(name)


def _version() -> str:
    """As `router.version`, without importing the first floor: this is to be instant."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("realtime-router")
    except PackageNotFoundError:
        return "source"


def main() -> None:
    """Run the command line; `--version` alone does not even load it."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        print(f"realtime-router {_version()}")
        return
    _app()(prog_name="realtime-router")
