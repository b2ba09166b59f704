"""Whether words sound like a finished turn: the documented method of `semantic_vad` where no acoustic model is present.

A turn sounds unfinished when it trails off in a word that wants another one ("and", "the", "to", "um"), or when
nothing has been understood yet; everything else counts as complete after the base silence. The pause does the rest:
an unfinished turn is answered after the longest wait of its eagerness.
"""

import re

UNFINISHED = frozenset(
    "a an and as at because but by for from her his if in into is it's its like maybe my of on or our please so than "  # noqa: SIM905
    "that the their then there's these this those to until was were what when where which while who with would your "
    "i i'm i'd i'll we we're you're um uh er hmm well actually basically "
    "y o pero porque que de del el la los las un una en con para por si und oder aber weil dass der die das ein eine "
    "mit für zu et ou mais parce que le les des du dans avec pour".split()
)
WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")


def sounds_complete(text: str) -> bool:
    """Whether the speaker may well be done after these words."""
    words = WORDS.findall(text.casefold().replace("’", "'"))
    if not words:
        return False
    if text.rstrip().endswith(("?", "!")):
        return True
    return words[-1] not in UNFINISHED
