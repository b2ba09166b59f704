"""Numbers in English words, both ways, up to 9,999. Pure."""

_SMALL = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate(_SMALL)} | {
    word: value * 10 for value, word in enumerate(_TENS) if word
}


def in_words(number: int) -> str:
    """`21` -> "twenty-one", `105` -> "one hundred five". Numbers of 10,000 and more stay digits."""
    if not 0 <= number < 10_000:
        return str(number)
    if number < 20:
        return _SMALL[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return _TENS[tens] + (f"-{_SMALL[rest]}" if rest else "")
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    head, rest = divmod(number, size)
    return f"{in_words(head)} {name}" + (f" {in_words(rest)}" if rest else "")


def from_words(words: list[str]) -> int | None:
    """The number that the first words spell ("twenty five apples" -> 25), or None when the first is no number."""
    total: int | None = None
    for raw in words:
        for word in raw.lower().split("-"):
            if word == "and" and total is not None:
                continue
            if word == "hundred" and total is not None and 0 < total % 1000 < 10:
                total += total % 10 * 99
            elif word == "thousand" and total is not None and total < 10:
                total *= 1000
            elif word in _VALUES and (total is None or _fits(total, _VALUES[word])):
                total = (total or 0) + _VALUES[word]
            else:
                return total
    return total


def _fits(total: int, value: int) -> bool:
    return (value < 10 and total % 10 == 0 and total % 100 != 10) or (total % 100 == 0 and value < 100 and total > 0)
