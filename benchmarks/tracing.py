"""What tracing costs a request: off, on but not sampled, sampled, and sampled and encoded for a collector.

    python -m benchmarks.tracing [--requests N]

"Sampled" is what the request waits for. "Exported" adds what the exporting thread does later with the two spans of a
request, on the same processor: it finds their attributes and encodes them as OTLP. The network is left out.

The kinds are measured in turns, over the in-memory upstream of `benchmarks.core`, and the median of the rounds is
printed, in µs of CPU. "Off" is measured twice, as two routers: their difference is what this machine cannot tell
apart. Beside it stands what the switched-off hooks themselves cost: so many looks at a None.
"""

import argparse
import asyncio
import json
import os
import statistics
import time
import timeit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from policies import RoutingTable, Targets
from router import Router, State
from router.tracing.spans import Spans

from .core import Memory

ROUNDS = 15
BATCH = 100  # spans encoded at once, a divisor of those of a round
HOOKS = 6  # looks at a None on the way of one request: one where it is decided, four in its walk, one in its call
DOCUMENT = {"model": "memory/gpt-x", "messages": [{"role": "user", "content": "hello " * 40}]}


class Discard:
    """A span processor that does nothing."""

    def on_start(self, span: object, parent_context: object = None) -> None:
        """Nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Nothing."""

    def _on_ending(self, span: object) -> None:
        """Nothing."""

    def shutdown(self) -> None:
        """Nothing."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Nothing is held back."""
        del timeout_millis
        return True


class Encode(Discard):
    """Encodes spans for a collector, a batch at a time, and throws them away."""

    def __init__(self) -> None:
        self._batch: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it, or encode what was kept."""
        self._batch.append(span)
        if len(self._batch) == BATCH:
            encode_spans(self._batch).SerializeToString()
            self._batch.clear()


def router_of(sampler: str | None, processor: Discard | None = None) -> Router:
    """A router over memory; `sampler` is an OTEL_TRACES_SAMPLER, None: tracing off."""
    state = State(RoutingTable(Targets(("memory",))), {"memory": Memory(3)})
    if sampler is None:
        return Router(state)
    os.environ["OTEL_TRACES_SAMPLER"] = sampler
    return Router(state, tracing=Spans(processor or Discard()))  # type: ignore[arg-type]  # all that a processor is asked for


async def measure(requests: int) -> dict[str, float]:
    """Median µs of CPU per JSON request, by kind."""
    routers = {
        "off": router_of(None),
        "off_again": router_of(None),
        "not_sampled": router_of("always_off"),
        "sampled": router_of("always_on"),
        "exported": router_of("always_on", Encode()),
    }
    rounds: dict[str, list[float]] = {name: [] for name in routers}
    for number in range(ROUNDS + 1):
        for name, router in routers.items():
            began_s = time.process_time()
            for _ in range(requests):
                await router.complete(DOCUMENT)
            if number:  # the first round warms up
                rounds[name].append((time.process_time() - began_s) / requests * 1e6)
    return {f"{name}_us": round(statistics.median(values), 1) for name, values in rounds.items()}


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="CPU that tracing costs a request")
    options.add_argument("--requests", type=int, default=500, help="per round")
    found = asyncio.run(measure(options.parse_args().requests))
    looks = timeit.timeit("if trace is not None: pass", "trace = None", number=1_000_000)  # µs for each
    print(json.dumps({**found, "switched_off_hooks_us": round(looks * HOOKS, 3)}))


if __name__ == "__main__":
    main()
