"""`python -m router.upstreams.scripted --port 9001`: a provider that fails on demand.

Every option has an environment variable: RR_SCRIPTED_HOST, _PORT, _GAP_S, _TIME_SCALE, _KEEP_BODIES.
"""

import argparse
import asyncio
import os
from collections.abc import Sequence

from .faults import FAULTS
from .server import ScriptedServer


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted, or print the table of faults."""
    options = _parser().parse_args(arguments)
    if options.list:
        for name, fault in FAULTS.items():
            print(f"{name:24} {fault.about}")  # noqa: T201  it is what was asked for
        return
    try:
        asyncio.run(_serve(options))
    except KeyboardInterrupt:
        return


def _parser() -> argparse.ArgumentParser:
    environment = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m router.upstreams.scripted", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the faults and end")
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
