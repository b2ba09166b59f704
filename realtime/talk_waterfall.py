"""Where the time of a turn went, drawn: one bar for each stage, counted from the last speech."""

from collections.abc import Mapping

from rich.table import Table

WIDTH = 48
ORIGIN = "end of speech"
COLOURS = {
    "turn over": "yellow",
    "words heard": "cyan",
    "first word": "green",
    "first audio": "magenta",
    "all audio sent": "blue",
}


def waterfall(stamps: Mapping[str, float]) -> Table:
    """Stamps in monotonic seconds by stage; a stage lasts from the one before it to its own stamp."""
    table = Table("stage", "", "from", "took", box=None, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    origin_s = stamps.get(ORIGIN)
    found = sorted((at_s, name) for name, at_s in stamps.items() if name in COLOURS)
    if origin_s is None or not found:
        return table
    scale = WIDTH / max(0.001, found[-1][0] - origin_s)
    before_s = origin_s
    for at_s, name in found:
        begin = round(max(0.0, before_s - origin_s) * scale)
        length = max(1, round(max(0.0, at_s - before_s) * scale))
        bar = f"{' ' * begin}[{COLOURS[name]}]{'━' * min(length, WIDTH - begin + 1)}[/]"
        table.add_row(name, bar, _ms(before_s - origin_s), _ms(at_s - before_s))
        before_s = max(before_s, at_s)
    return table


def _ms(seconds: float) -> str:
    return f"{max(0.0, seconds) * 1000:.0f} ms"
