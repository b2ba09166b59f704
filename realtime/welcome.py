"""The words at the start of `serve`: what is served and how, and lines to try next that can be pasted as they are."""

import shutil
import sys
from pathlib import Path

from rich.console import Console

from router import walk
from router.config import Config
from router.server import Binding

COMPILED = "hot path:  compiled\n"


def shown(binding: Binding) -> str:
    """The host as one types it on this machine; "every address" is none that can be typed."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(binding.host, binding.host)
    return f"[{host}]" if ":" in host else host


def welcome(out: Console, url: str, config: Config) -> None:
    """What to try next, on stdout, once the port listens."""
    providers = ", ".join(config.providers)
    routers = ", ".join(f"router/{source.router.router}" for source in config.routers) or "none"
    out.print(f"[bold]Realtime Router[/] is ready at [bold]{url}[/]")
    out.print(f"providers: {providers}\nrouters:   {routers}\n{COMPILED if compiled() else ''}", markup=False)
    out.print("Try next, in another terminal:", style="bold")
    out.print("\n".join(tries(config, url)), markup=False)
    sys.stdout.flush()


def tries(config: Config, url: str) -> list[str]:
    """Lines that can be pasted into a shell as they are; with keys configured, one of them is read from RR_API_KEY."""
    locked, model = bool(config.auth.keys), to_try(config)
    key, quoted = ("$RR_API_KEY", 'os.environ["RR_API_KEY"]') if locked else ("unused", '"unused"')
    return [
        *(["  export RR_API_KEY=...  # a secret of auth.keys", ""] if locked else []),
        f"  curl {url}/v1/chat/completions -H 'content-type: application/json' \\",
        f'    -H "authorization: Bearer {key}" \\',
        f'    -d \'{{"model": "{model}", "user": "ann", "messages": [{{"role": "user", "content": "count to 5"}}]}}\'',
        "",
        f"  {typed('python')} -c '{'import os; ' if locked else ''}from openai import OpenAI",
        f'c = OpenAI(base_url="{url}/v1", api_key={quoted})',
        f'print(c.chat.completions.create(model="{model}", messages=[{{"role": "user", "content": "hello"}}]))\'',
        "",
        f"  {typed('realtime-router')} chat --url {url}{'' if model == 'router/demo' else f' --model {model}'}",
        f"  Playground: {url}/ (talk, type, and see each decision explained)",
        f"  API page: {url}/docs",
    ]


def compiled() -> bool:
    """Whether the rooms that requests pass through run as extension modules (deploy/compile.py made them)."""
    return not walk.__file__.endswith(".py")


def typed(program: str) -> str:
    """A program of this environment as the shell takes it: its name where that is found, else its path."""
    path = Path(sys.executable).parent / program
    found = shutil.which(program)
    if not path.exists() or (found is not None and Path(found).parent.samefile(path.parent)):
        return program
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def to_try(config: Config) -> str:
    """A model string that answers here: the shipped router, else a router of the file, else a demo target."""
    routers = [source.router.router for source in config.routers if source.router.kind == "chat"]
    if not routers:
        return "demo/fast" if "demo" in config.providers else "auto"
    return f"router/{'demo' if 'demo' in routers else routers[0]}"
