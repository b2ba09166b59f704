"""The voice benchmark told: both servers side by side, what they were set to, and a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
NOTE = (
    "Server and caller ran with real-time priority where that was allowed; with a load average well above 2, "
    "neighbours may still have cost caches and shared cores. The fakes run inside both servers and count as theirs."
)
SETTINGS = {  # what, ours, pipecat's
    "voice detection": ("Silero v6.2, one batch for all", "Silero of the package, a thread a call"),
    "threshold": ("0.5, end below 0.35", "0.5, volume 0"),
    "speech begins after": ("3 frames, 96 ms", "0.1 s"),
    "speech ends after": ("500 ms, said with the turn", "0.5 s, said before its turn"),
    "input, 24 to 16 kHz": ("polyphase, 1.5 ms behind", "soxr VHQ, about 40 ms behind"),
    "reply begun in the pause": ("yes, after 200 ms", "no"),
    "audio out": ("100 ms a piece, 0.3 s ahead", "40 ms a piece, at twice real time"),
}


def settings() -> str:
    """What the two were set to, as text."""
    lines = [f"{name:>26} {ours:>32} {theirs:>40}" for name, (ours, theirs) in SETTINGS.items()]
    return "\n".join([f"{'':>26} {'ours':>32} {'pipecat':>40}", *lines])


def jittery(rows: Sequence[dict[str, Any]], name: str) -> list[str]:
    """A note for every row in which the caller itself was late."""
    return [
        f"{name} with {row['sessions']} sessions: the caller sent late (jitter p99 {row['send_jitter_ms']['p99']} ms): "
        "the machine was not quiet, or the server took no more; read that row with care."
        for row in rows
        if row["send_jitter_ms"].get("p99", 0.0) >= 2.0
    ]


def plot(rows: Sequence[dict[str, Any]], peer: Sequence[dict[str, Any]], path: Path) -> None:
    """Own time and processor share over the number of sessions; the peer's medians dashed."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6))
    sizes = [row["sessions"] for row in rows]
    for color, name, label in (
        ("C0", "first_audio_ms", "turn over → first audio"),
        ("C1", "stopped_beyond_silence_ms", "end of speech → turn over, beyond the silence"),
        ("C2", "interruption_to_cancel_ms", "interruption → cancelled"),
    ):
        for mark, style in (("p50", "-"), ("p99", ":")):
            values = [row[name].get(mark, float("nan")) for row in rows]
            left.plot(sizes, values, style, color=color, marker="o", label=f"{label}, {mark}")
        if peer:
            medians = [row[name].get("p50", float("nan")) for row in peer]
            left.plot(
                [row["sessions"] for row in peer],
                medians,
                "--",
                color=color,
                marker="x",
                label=f"pipecat: {label}, p50",
            )
    left.set(xlabel="sessions on one core", ylabel="ms", title="Own time, fakes at 0 ms", yscale="log")
    left.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    right.plot(sizes, [row["server_cpu_percent"] for row in rows], marker="o", label="ours")
    if peer:
        shares = [row["server_cpu_percent"] for row in peer]
        right.plot([row["sessions"] for row in peer], shares, "--", marker="x", label="pipecat")
        right.legend()
    right.axhline(50, linestyle="--", color="grey")
    right.set(xlabel="sessions on one core", ylabel="% of a core", title="Server's processor time", ylim=(0, 105))
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def table(ours: Sequence[Row], theirs: Sequence[Row]) -> str:
    """Both side by side, as text: p50 / p99 in ms."""
    lines = [
        (
            f"{'':>10} {'sessions':>8} {'first audio':>16} {'stopped':>16} {'cancelled':>18} "
            f"{'turns':>6} {'late':>5} {'CPU %':>6} {'MiB each':>9} {'errors':>6}"
        )
    ]
    for name, rows in (("ours", ours), ("pipecat", theirs)):
        for row in rows:
            first, stopped, cancelled = (
                f"{row[key]['p50']:.1f} / {row[key]['p99']:.1f}" if row[key]["n"] else "none"
                for key in ("first_audio_ms", "stopped_beyond_silence_ms", "interruption_to_cancel_ms")
            )
            lines.append(
                f"{name:>10} {row['sessions']:>8} {first:>16} {stopped:>16} {cancelled:>18} "
                f"{row['first_audio_ms']['n']:>6} {row['audio_after_cancel']:>5} {row['server_cpu_percent']:>6} "
                f"{row['mib_per_session']:>9.2f} {row['errors']:>6}"
            )
    return "\n".join(lines)
