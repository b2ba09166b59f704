"""Figures as text, cheaply: a float's own formatting costs ten times as much as that of the integers it is made of."""

THOUSANDTHS = tuple(f"{number:03d}" for number in range(1000))


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds with three decimals; 0 for a negative time, which only a clock's rounding makes."""
    microseconds = int(seconds * 1_000_000 + 0.5) if seconds > 0.0 else 0
    return f"{microseconds // 1000}.{THOUSANDTHS[microseconds % 1000]}"


def tenths(seconds: float) -> str:
    """Seconds as milliseconds with one decimal."""
    number = int(seconds * 10_000 + 0.5) if seconds > 0.0 else 0
    return f"{number // 10}.{number % 10}"
