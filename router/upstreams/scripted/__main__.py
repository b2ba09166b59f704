"""`python -m router.upstreams.scripted --port 9001`: a provider that fails on demand.

Every option has an environment variable: RR_SCRIPTED_HOST, _PORT, _GAP_S, _TIME_SCALE, _KEEP_BODIES.
"""

import argparse
import asyncio
import os
from collections.abc import Sequence

from .faults import FAULTS
from .server import ScriptedServer

_PAGE = """# The scripted upstream

Made from the code by `python -m router.upstreams.scripted --markdown > docs/scripted.md`.

A provider that fails on demand, for tests, benchmarks and demonstrations. It answers with sixty words, each a delta of
its own; the model's name chooses the fault. `python -m router.upstreams.scripted --port 9001` serves it over HTTP
(provider `{kind: openai, base_url: "http://127.0.0.1:9001/v1", api_key: x, allow_private: true}`); `kind: scripted` and
`ScriptedUpstream` play the same scripts inside the process.

`N` stands for a number: `cut-40`, `502-once`, `429-retry-after-2`. Anything after an `@` only makes the name distinct:
`cut-40@east`. `--gap-s` sets the pause between deltas, `--time-scale` multiplies every pause.

`GET /log` shows what it saw, one entry a call: `time`, `model`, `fault`, `status`, `completed`, `client_gone`, `ended`;
`DELETE /log` clears it. With `--keep-bodies` the entries carry headers and bodies too.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted, or print the table of faults."""
    options = _parser().parse_args(arguments)
    if options.markdown:
        print(reference(), end="")  # noqa: T201  it is what was asked for
        return
    if options.list:
        for name, fault in FAULTS.items():
            print(f"{name:24} {fault.about}")  # noqa: T201  it is what was asked for
        return
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        return


def reference() -> str:
    """The page about the scripted upstream, with the table of faults."""
    rows = "\n".join(f"| `{name}` | {fault.about} |" for name, fault in FAULTS.items())
    return f"{_PAGE}\n| model | what happens |\n|---|---|\n{rows}\n"


def _parser() -> argparse.ArgumentParser:
    environment = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m router.upstreams.scripted", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    parser.add_argument("--markdown", action="store_true", help="print docs/scripted.md and end")
    parser.add_argument("--host", default=environment("RR_SCRIPTED_HOST", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(environment("RR_SCRIPTED_PORT", "9001")))
    parser.add_argument("--gap-s", type=float, default=float(environment("RR_SCRIPTED_GAP_S", "0")),
                        help="seconds between two deltas")  # fmt: skip
    parser.add_argument("--time-scale", type=float, default=float(environment("RR_SCRIPTED_TIME_SCALE", "1")),
                        help="multiplies every pause")  # fmt: skip
    parser.add_argument("--keep-bodies", action="store_true", default=environment("RR_SCRIPTED_KEEP_BODIES") == "1",
                        help="keep headers and bodies in the log")  # fmt: skip
    return parser


async def _serve(options: argparse.Namespace) -> None:
    server = ScriptedServer(
        host=options.host,
        port=options.port,
        gap_s=options.gap_s,
        time_scale=options.time_scale,
        keep_bodies=options.keep_bodies,
    )
    async with server:
        print(f"scripted upstream on {server.base_url}", flush=True)  # noqa: T201  says where it listens
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
