"""Models, capabilities, prices: what is known about a target before it is called.

Prices, context limits and features come from the price file inside the litellm package, read as a file: litellm
itself is not imported. Only entries of the wanted providers are kept, and nothing is read when none of them is listed
there. Quality scores come from a small dated table beside this module. Own prices and scores win over both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from policies import Feature, Prices, Target

PRICE_FILE = "model_prices_and_context_window_backup.json"
RESERVED = frozenset({"sample_spec", "fallback_generalizations"})
VERTEX = ("vertex_ai", "vertex_ai-language-models", "vertex_ai-anthropic_models", "vertex_ai-mistral_models")
LISTED_AS: Mapping[str, tuple[str, ...]] = {  # our provider -> the names it has in the price file
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "gemini": ("gemini",),
    "google-ai-studio": ("gemini",),
    "groq": ("groq",),
    "mistral": ("mistral",),
    "xai": ("xai",),
    "deepseek": ("deepseek",),
    "deepinfra": ("deepinfra",),
    "together": ("together_ai",),
    "fireworks": ("fireworks_ai",),
    "openrouter": ("openrouter",),
    "cerebras": ("cerebras",),
    "perplexity": ("perplexity",),
    "nvidia": ("nvidia_nim",),
    "cohere": ("cohere_chat", "cohere"),
    "azure": ("azure",),
    "bedrock": ("bedrock_converse", "bedrock"),
    "vertex_ai": VERTEX,
    "google-vertex": VERTEX,
}
DEMO_SCORES: Mapping[str, Mapping[str, float]] = {
    "fast": {"intelligence": 1.0, "math": 1.0, "coding": 1.0},
    "smart": {"intelligence": 2.0, "math": 2.0, "coding": 2.0},
}
DEMO_MODELS = ("fast", "smart", "flaky", "down", "slow", "cut", "embedding", "moderation")
_DEMO_KINDS: Mapping[str, str] = {"embedding": "embedding", "moderation": "moderation"}
_FLAGS: Mapping[Feature, str] = {
    Feature.TOOLS: "supports_function_calling",
    Feature.VISION: "supports_vision",
    Feature.AUDIO_INPUT: "supports_audio_input",
    Feature.AUDIO_OUTPUT: "supports_audio_output",
    Feature.REASONING: "supports_reasoning",
    Feature.PREFILL: "supports_assistant_prefill",
}
_KINDS: Mapping[str, str] = {"audio_transcription": "transcription", "audio_speech": "speech"}
LOCAL_MODELS: Mapping[str, str] = {
    "pocketsphinx": "transcription",
    "auto": "speech",
    "flite": "speech",
    "espeak-ng": "speech",
}
METRICS = ("intelligence", "math", "coding")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is known about the models of the configured providers. Unknown models are targets too: they lack nothing."""

    entries: Mapping[str, Target] = field(default_factory=dict)  # by name, provider/model
    prices: Mapping[str, Prices] = field(default_factory=dict)  # own, by target name
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # own, by target name or model

    def target(self, provider: str, model: str) -> Target:
        """The target `provider/model`, with everything known about it."""
        name = f"{provider}/{model}"
        target = self.entries.get(name) or Target(provider, model)
        own = {**self.scores.get(model, {}), **self.scores.get(name, {})}
        return replace(
            target,
            prices=self.prices.get(name, target.prices),
            scores={**shipped_scores(model), **own} if own or not target.scores else target.scores,
        )

    def models(self, *, kind: str | None = "chat") -> tuple[Target, ...]:
        """Every listed target of a kind (of all kinds: None)."""
        chosen = (target for target in self.entries.values() if kind in (None, target.kind))
        return tuple(self.target(target.provider, target.model) for target in chosen)


def load_catalogue(
    providers: Mapping[str, Iterable[str] | None],
    *,
    prices: Mapping[str, Prices] | None = None,
    scores: Mapping[str, Mapping[str, float]] | None = None,
) -> Catalogue:
    """The catalogue for `providers`: name -> the models it is said to offer, or None for what is listed.

    Order matters: bare model names are offered in the order of the providers.
    """
    listed = _listed({name for name, models in providers.items() if models is None and name in LISTED_AS})
    entries: dict[str, Target] = {}
    for provider, models in providers.items():
        if models is not None:
            known = _listed({provider} & LISTED_AS.keys()).get(provider, {})
            found = {model: known.get(model, Target(provider, model)) for model in models}
        elif provider == "demo":
            found = {model: _demo(model) for model in DEMO_MODELS}
        elif provider == "local":
            found = {model: Target(provider, model, kind=kind) for model, kind in LOCAL_MODELS.items()}
        else:
            found = listed.get(provider, {})
        entries |= {target.name: target for target in found.values()}
    return Catalogue(entries, prices or {}, scores or {})


def price_file() -> Path | None:
    """Where the bundled price file lies, found without importing the package that holds it."""
    spec = find_spec("litellm")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / PRICE_FILE
        if path.is_file():
            return path
    return None


def _listed(wanted: set[str]) -> dict[str, dict[str, Target]]:
    """What is listed for the wanted providers: provider -> model -> target."""
    path = price_file() if wanted else None
    if path is None:
        return {}
    ours: dict[str, list[str]] = {}
    for name in wanted:
        for theirs in LISTED_AS[name]:
            ours.setdefault(theirs, []).append(name)
    found: dict[str, dict[str, Target]] = {}
    rows: dict[str, dict[str, Any]] = orjson.loads(path.read_bytes())
    for key, row in rows.items():
        if key in RESERVED or key.startswith("ft:"):
            continue
        for provider in ours.get(row.get("litellm_provider", ""), ()):
            for name in (key, *row.get("aliases", ())):
                model = bare_name(name, row["litellm_provider"])
                found.setdefault(provider, {}).setdefault(model, _entry(provider, model, row))
    return found


def bare_name(key: str, listed_provider: str) -> str:
    """`groq/llama-3` listed under `groq` -> `llama-3`; `vertex_ai/x` under `vertex_ai-language-models` -> `x`."""
    for prefix in (f"{listed_provider}/", f"{listed_provider.split('-', maxsplit=1)[0]}/", "bedrock/", "cohere/"):
        if key.startswith(prefix) and prefix.split("_")[0].rstrip("/") in listed_provider:
            return key[len(prefix) :]
    return key


def _entry(provider: str, model: str, row: Mapping[str, Any]) -> Target:
    paid = row.get("input_cost_per_token"), row.get("output_cost_per_token")
    prices = None
    if isinstance(paid[0], int | float) and isinstance(paid[1], int | float):
        prices = Prices(float(paid[0]), float(paid[1]))
    mode = str(row.get("mode") or "chat")
    return Target(
        provider=provider,
        model=model,
        lacks=_lacks(row),
        context_tokens=_tokens(row, "max_input_tokens"),
        max_output_tokens=_tokens(row, "max_output_tokens"),
        prices=prices,
        scores=shipped_scores(model),
        declares=frozenset({Feature.PREFILL}) if row.get("supports_assistant_prefill") else frozenset(),
        kind=_KINDS.get(mode, mode),
    )


def _lacks(row: Mapping[str, Any]) -> frozenset[Feature]:
    """Features known to be missing. A row without any flag tells nothing; JSON Schema is missing only if it says so."""
    if row.get("mode") != "chat" or not any(key.startswith("supports_") for key in row):
        return frozenset()
    lacking = {feature for feature, flag in _FLAGS.items() if not row.get(flag)}
    if row.get("supports_response_schema") is False:
        lacking.add(Feature.JSON_SCHEMA)
    return frozenset(lacking)


def _tokens(row: Mapping[str, Any], key: str) -> int | None:
    value = row.get(key)
    return int(value) if isinstance(value, int | float) and value > 0 else None


def _demo(model: str) -> Target:
    """A demo target; those that fail on purpose have no scores, so that `auto` never picks them."""
    lacks = frozenset({Feature.VISION, Feature.AUDIO_INPUT, Feature.AUDIO_OUTPUT})
    return Target("demo", model, lacks=lacks, scores=DEMO_SCORES.get(model, {}), kind=_DEMO_KINDS.get(model, "chat"))


@cache
def _score_table() -> Mapping[str, Mapping[str, float]]:
    table = orjson.loads(files("router").joinpath("catalogue_scores.json").read_bytes())
    return {name: dict(zip(METRICS, row, strict=True)) for name, row in table["models"].items()}


def shipped_scores(model: str) -> Mapping[str, float]:
    """The shipped quality scores of a model: the longest name in the table that begins its last path segment."""
    table = _score_table()
    bare = model.rsplit("/", 1)[-1].lower()
    for end in range(len(bare), 0, -1):
        if (found := table.get(bare[:end])) is not None and (end == len(bare) or not bare[end].isalnum()):
            return found
    return {}
