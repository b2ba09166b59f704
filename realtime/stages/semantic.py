"""Whether a turn is complete, asked at the base silence of `semantic_vad`: by the text heard so far, or by the sound.

Text and pause, the method that needs no model: a text that ends with a closing mark is complete; one that ends with a
word that calls for another ("and", "the", "um"), a comma or an ellipsis is not; any other text is complete, since the
speaker has already paused. Nothing heard yet is incomplete; a recogniser that cannot tell leaves it to the pause.
Smart Turn, where its model is installed, listens to the sound instead (see smart_turn.py).
"""

import re
from typing import Protocol

import numpy as np
import numpy.typing as npt

LAST_WORD = re.compile(r"([\w'’]+)\W*$")
OPEN_END = re.compile(r"(?:[,;:、，–—-]|\.\.\.|…)\s*$")
CLOSED_END = re.compile(r"[.!?。！？।؟][\"'”’)\]»」]*\s*$")
HESITATIONS = "um uh er erm hmm hm mm äh ähm öh euh eh este pues"
ENGLISH = (
    "a an the and or but so because since although though if when while unless until that which who whose whom to of in"
    " on at by for from with without into about between than as my your his her its our their this these those is are"
    " was were am be been i'm you're he's she's we're they're it's can could would should will shall may might must"
    " do does did have has had not very really just like i we they he she please let's"
)
GERMAN = (
    "und oder aber weil dass wenn als ob der die das ein eine einen einem einer den dem des mein dein sein ihr unser zu"
    " von mit für auf aus bei nach über unter ist sind war waren hat haben kann ich wir er sehr nicht"
)
ROMANCE = (
    "et ou mais parce que si le la les un une des du de dans pour avec sur sous est sont je tu il elle nous vous très"
    " y o pero porque el los las una unos del en por con para es son muy mi tu su"
)
CALLS_FOR_MORE = frozenset(f"{HESITATIONS} {ENGLISH} {GERMAN} {ROMANCE}".split())
ANSWERS = frozenset({"did", "do", "can", "will", "have", "am", "was", "would"})  # "yes I do"


class TurnModel(Protocol):
    """Judges a turn by its sound."""

    async def probability(self, samples: npt.NDArray[np.int16]) -> float:
        """That the turn is complete, 0 to 1, from the user's audio at 16 kHz, not older than 8 s."""
        ...


def sounds_complete(text: str | None) -> bool:
    """The verdict on the text so far; None: the recogniser cannot tell, the pause decides."""
    if text is None:
        return True
    if OPEN_END.search(text):
        return False
    if CLOSED_END.search(text):
        return True
    last = LAST_WORD.search(text.lower())
    if last is None:
        return False
    word = last.group(1).replace("’", "'")
    words = text.split()
    if word in ANSWERS and 2 <= len(words) <= 4:
        return True
    return word not in CALLS_FOR_MORE
