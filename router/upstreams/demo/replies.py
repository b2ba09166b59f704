"""What the demo model says: a pure function of the conversation and the target's name.

Rules in order: results of tools are read back; `count to N`; `say X`, `repeat X`; a question about something stated
earlier (`my … is …`); else one sentence that repeats what was said and names the target. Sentences are short and free
of markup, so that they can be spoken.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .numbers import from_words, in_words

Messages = Sequence[Mapping[str, Any]]

_POLITE = r"(?:(?:please|now|ok(?:ay)?|hey|hi|hello|can you|could you|would you|will you|just|then)[,\s]+)*"
_SAY = re.compile(rf"^\W*{_POLITE}(?:say|repeat)\b(?:\s+after me)?\s*:?\s+(?P<what>.+)$", re.IGNORECASE | re.DOTALL)
_COUNT = re.compile(r"\bcount(?:\s+from\s+(?P<low>[\w-]+))?(?:\s+up)?\s+to\s+(?P<high>[\w\s-]+)", re.IGNORECASE)
_STATED = re.compile(
    r"\bmy\s+(?P<what>[\w' -]{1,60}?)\s+(?:is|are|was)\s+(?P<value>.+?)(?=\s+(?:and|but|so)\s+(?:my|i)\b|[,;]|$)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"^\W*(?:(?:and|so|but|now|please|hey|ok|okay)\W+)*"
    r"(?:what|who|which|where|when|how|do|did|does|can|could|tell|remind|is|are|was|say|repeat)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*(?:(?<=\d\.)\d[^.!?\n]*[.!?]*)?")
_QUOTES = "\"'`“”‘’«»"
_COUNT_CAP = 2000
_ECHO_WORDS = 60


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: its string content, or its text parts joined. Lone surrogates become `?`."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        content = " ".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str):
        return ""
    return content.encode("utf-8", "replace").decode("utf-8")


def last_user_text(messages: Messages) -> str:
    """The text of the last user message, or "" when there is none."""
    return next((text_of(message) for message in reversed(messages) if message.get("role") == "user"), "")


def reply_text(messages: Messages, target: str, *, long: bool = False) -> str:
    """The answer of `target` to this conversation; never empty."""
    results = _tool_results(messages)
    if results:
        return " ".join(results)
    text = last_user_text(messages).strip()
    answer = _counted(text) or _said(text) or _remembered(messages, text)
    if answer:
        return answer
    answer = _echo(text, target)
    if long:
        turns = sum(1 for message in messages if message.get("role") == "user")
        words = len(text.split())
        answer += (
            f" That was message {in_words(turns)} from you, and it has {in_words(words)} "
            f"{'word' if words == 1 else 'words'}. I am a demo model, so I repeat rather than reason."
        )
    return answer


def _echo(text: str, target: str) -> str:
    words = text.split()
    if not words:
        return f"You said nothing, and {target} has heard it."
    said = " ".join(words[:_ECHO_WORDS]).rstrip(".!?,;: ") or text
    return f"You said: {said}, and this is {target}."


def _counted(text: str) -> str | None:
    match = _COUNT.search(text)
    if match is None:
        return None
    high = _number(match["high"])
    low = _number(match["low"]) if match["low"] else 1
    if high is None or low is None:
        return None
    step = 1 if high >= low else -1
    numbers = range(low, high + step, step)[:_COUNT_CAP]
    return ", ".join(in_words(number) for number in numbers) + "."


def _number(text: str) -> int | None:
    words = text.split()
    if words and words[0].isascii() and words[0].isdigit():
        return min(int(words[0][:6]), 999_999)
    return from_words(words)


def _said(text: str) -> str | None:
    match = _SAY.match(text)
    if match is None:
        return None
    return match["what"].strip().strip(_QUOTES).strip() or None


def _remembered(messages: Messages, text: str) -> str | None:
    stated: dict[str, str] = {}
    for message in messages:
        if message.get("role") in {"user", "system", "developer"}:
            stated |= _statements(text_of(message))
    asked = next((s for s in reversed(_SENTENCE.findall(text)) if _is_question(s)), None)
    if asked is None:
        return None
    words = f" {_bare(asked)} "
    fitting = [what for what in stated if f" my {what} " in words]
    if not fitting:
        return None
    what = max(fitting, key=len)
    verb = "are" if what.endswith("s") and not what.endswith("ss") and " and " in stated[what] else "is"
    return f"Your {what} {verb} {stated[what]}."


def _statements(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for sentence in _SENTENCE.findall(text):
        if not _is_question(sentence):
            for match in _STATED.finditer(sentence):
                value = match["value"].strip().rstrip(".!?")
                if value:
                    found[_bare(match["what"])] = value
    return found


def _bare(text: str) -> str:
    return " ".join(re.findall(r"[\w'-]+", text.lower()))


def _is_question(sentence: str) -> bool:
    return sentence.rstrip().endswith("?") or _ASKS.match(sentence) is not None


def _tool_results(messages: Messages) -> list[str]:
    names: dict[str, str] = {}
    results: list[str] = []
    for message in messages:
        if message.get("role") == "tool":
            name = names.get(str(message.get("tool_call_id")), "The tool")
            results.append(f"{name} says: {_spoken(text_of(message))}.")
            continue
        results = []
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, Mapping) else None
            if isinstance(function, Mapping):
                names[str(call.get("id"))] = str(function.get("name"))
    return results


def _spoken(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return _flat(value).strip().rstrip(".") or "nothing"


def _flat(value: Any, depth: int = 0) -> str:
    if isinstance(value, Mapping) and depth < 8:
        return ", ".join(f"{key} {_flat(inner, depth + 1)}" for key, inner in value.items())
    if isinstance(value, list) and depth < 8:
        return ", ".join(_flat(inner, depth + 1) for inner in value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(value)
