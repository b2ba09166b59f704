"""What the gateway contest prints: a Markdown table with ratios, and a plot."""

from dataclasses import dataclass
from pathlib import Path

HEAD = (
    "gateway",
    "CPU/request µs",
    "× nginx",
    "× TensorZero",
    "requests/s",
    "p50 / p99 ms (32)",
    "added p50 / p99 ms (1)",
    "CPU/chunk µs",
    "× TensorZero",
    "50-token/s streams: broken, gap p99 / max ms",
    "start s",
    "idle / loaded MB",
)


STREAMS = 64  # at once, while CPU per chunk is measured


@dataclass(slots=True)
class Result:
    """What was measured of one gateway; times in ms, CPU in µs, memory in MB."""

    name: str
    ready_s: float = 0.0
    idle_mb: float = 0.0
    loaded_mb: float = 0.0
    json_cpu_us: float = 0.0
    json_per_s: float = 0.0
    json_p50_ms: float = 0.0
    json_p99_ms: float = 0.0
    json_errors: int = 0
    single_added_p50_ms: float = 0.0
    single_added_p99_ms: float = 0.0
    chunk_cpu_us: float = 0.0
    stream_broken: int = 0
    many_streams: int = 0
    many_broken: int = 0
    many_gap_p99_ms: float = 0.0
    many_gap_max_ms: float = 0.0
    many_cpu_share: float = 0.0


def table(results: list[Result]) -> str:
    """A Markdown table, with the CPU figures also as ratios to nginx and TensorZero of the same run."""
    by_name = {result.name: result for result in results}

    def ratio(value: float, peer: str, field: str) -> str:
        base = getattr(by_name[peer], field) if peer in by_name else 0
        return f"{value / base:.2f}" if base else "–"

    def row(r: Result) -> tuple[str, ...]:
        streams_work = r.stream_broken < STREAMS
        return (
            r.name,
            f"{r.json_cpu_us:.0f}",
            ratio(r.json_cpu_us, "nginx", "json_cpu_us"),
            ratio(r.json_cpu_us, "tensorzero", "json_cpu_us"),
            f"{r.json_per_s:.0f}",
            f"{r.json_p50_ms:.2f} / {r.json_p99_ms:.2f}",
            f"{r.single_added_p50_ms:.2f} / {r.single_added_p99_ms:.2f}",
            f"{r.chunk_cpu_us:.1f}" if streams_work else "–",
            ratio(r.chunk_cpu_us, "tensorzero", "chunk_cpu_us") if streams_work else "–",
            f"{r.many_streams}: {r.many_broken}, {r.many_gap_p99_ms:.0f} / {r.many_gap_max_ms:.0f}",
            f"{r.ready_s:.2f}",
            f"{r.idle_mb:.0f} / {r.loaded_mb:.0f}",
        )

    rows = [HEAD, ("---",) * len(HEAD), *map(row, results)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in rows)


def plot(results: list[Result], path: Path) -> None:
    """CPU per request, CPU per chunk, added latency and memory as bars on a logarithmic scale."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = (
        ("CPU per JSON request (µs)", [r.json_cpu_us for r in results]),
        ("CPU per streamed chunk (µs)", [r.chunk_cpu_us if r.stream_broken < STREAMS else 0 for r in results]),
        ("added latency p50, one connection (ms)", [r.single_added_p50_ms for r in results]),
        ("resident memory, idle (MB)", [r.idle_mb for r in results]),
    )
    figure, axes = plt.subplots(2, 2, figsize=(11, 6.5), layout="constrained")
    names = [r.name for r in results]
    colours = ["#2b6cb0" if name.startswith("realtime-router") else "#a0aec0" for name in names]
    for axis, (title, values) in zip(axes.flat, panels, strict=True):
        least = min(value for value in values if value > 0) / 3
        bars = axis.barh(names, [max(value, least) for value in values], color=colours)
        axis.bar_label(
            bars,
            [f"{value:,.{0 if value >= 100 else 2}f}" if value else "no stream came whole" for value in values],
            padding=4,
        )
        axis.set_xscale("log")
        axis.set_xlim(least, max(values) * 6)
        axis.invert_yaxis()
        axis.set_title(title, fontsize=11)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle("Gateways on one machine, one run: smaller is better")
    figure.savefig(path, dpi=110)
    plt.close(figure)
