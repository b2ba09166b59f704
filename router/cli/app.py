"""The commands and their flags. Flags win over environment, environment over file; each command has its room."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from router.config.check import Check

app = typer.Typer(
    name="realtime-router",
    help="One routing core for language and voice models: an OpenAI-compatible proxy and a realtime voice server.",
    epilog="Start with 'realtime-router serve': it needs no key and no file. Then: 'realtime-router chat'.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
importer = typer.Typer(help="Bring a configuration over from another gateway.", no_args_is_help=True)
app.add_typer(importer, name="import")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="RR_CONFIG", metavar="FILE", help="Server file; without one: the defaults."),
]
UrlOption = Annotated[str, typer.Option("--url", envvar="RR_URL", help="Address of a running router.")]
KeyOption = Annotated[str, typer.Option("--key", envvar=["RR_API_KEY", "RR_KEY"], help="API key, where one is needed.")]
UserOption = Annotated[str | None, typer.Option("--user", "-u", help="Who asks: makes assignment sticky.")]
MetadataOption = Annotated[
    list[str] | None,
    typer.Option("--metadata", "-d", metavar="KEY=VALUE", help="Facts for conditions; may be repeated."),
]
CHECKS: "list[Check]" = []  # what the floor above wants looked at by `check`
LOCAL_URL = "http://127.0.0.1:8080"


def _version(value: bool) -> None:
    if value:
        from router.version import version

        print(f"realtime-router {version()}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    show: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it, leave.")] = False,
) -> None:
    pass


@app.command()
def check(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Server and router files; none: RR_CONFIG, else the shipped routers."),
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
) -> None:
    """Check files and run the golden cases beside the routers. Leaves with 1 when anything is wrong."""
    from .check import run

    raise typer.Exit(run(files or [], strict=strict, also=CHECKS))


@app.command()
def explain(
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="Model string, e.g. router/support or auto.")],
    user: UserOption = None,
    metadata: MetadataOption = None,
    message: Annotated[str | None, typer.Option("--message", help="What the user says.")] = None,
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what would be decided and why: conditions, bucket, variant, plan. Nothing is called."""
    from .explain import Question, run

    raise typer.Exit(run(Question(model, user, tuple(metadata or ()), message, config), as_json=as_json))


@app.command()
def report(
    router: Annotated[str, typer.Argument(metavar="ROUTER", help="Name of a router with a split.")],
    *,
    config: ConfigOption = None,
    records: Annotated[
        str | None,
        typer.Option("--records", metavar="URL", help="Where the records are; default: records.url of the file."),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--experiment", metavar="CHECKSUM", help="Another version of the router than the file's."),
    ] = None,
    alpha: Annotated[float, typer.Option(min=0.0001, max=0.5, help="Chance of a false alarm, over all looks.")] = 0.05,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the variants of a router by their records; the intervals hold however often you look."""
    from .report import Wanted, run

    raise typer.Exit(run(Wanted(router, config, records, version, alpha), as_json=as_json))


@app.command()
def schema(which: Annotated[str, typer.Argument(metavar="server|router", help="Which grammar.")]) -> None:
    """Print the JSON Schema of a file, for editors."""
    from .schema import run

    raise typer.Exit(run(which))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write.")] = Path(),
) -> None:
    """Write a commented server file and an example router. Never overwrites."""
    from .init import run

    raise typer.Exit(run(folder))


@app.command()
def chat(
    *,
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT", help="Say this and leave.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="Model string.")] = "router/demo",
    url: UrlOption = LOCAL_URL,
    key: KeyOption = "",
    user: UserOption = None,
    metadata: MetadataOption = None,
) -> None:
    """Talk to a running router: streams the answer, shows the decision and every attempt. Reads a pipe, too."""
    from .chat import Talk, run

    words = " ".join(text) if text else None
    raise typer.Exit(run(Talk(model, url, key, user, tuple(metadata or ())), words))


@app.command()
def health(url: UrlOption = LOCAL_URL) -> None:
    """Leave with 0 when a running router is ready, else with 1 (for HEALTHCHECK)."""
    from .health import run

    raise typer.Exit(run(url))


@app.command()
def tail(
    *,
    url: UrlOption = LOCAL_URL,
    key: KeyOption = "",
    last: Annotated[int, typer.Option("--last", "-n", min=0, max=200, help="Past requests to begin with.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Do not follow.")] = False,
) -> None:
    """Follow the requests of a running router (with a key: its own). Ctrl-C leaves."""
    from .tail import Watch, run

    raise typer.Exit(run(Watch(url, key, last, as_json, not once)))


@importer.command("litellm")
def import_litellm(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A LiteLLM proxy config.yaml.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where to write.")] = Path(),
) -> None:
    """Turn a LiteLLM proxy configuration into a server file and routers; what has no counterpart becomes a comment."""
    from .litellm import run

    raise typer.Exit(run(file, out))
