"""Turns a LiteLLM proxy configuration into our files' content; what has no counterpart becomes a note.

A `model_name` with several deployments becomes a router that splits by their weights (else by rpm, else tpm, else
evenly, as LiteLLM's simple shuffle does); one with a single deployment becomes an alias, or a router when it has
fallbacks, parameters or limits of its own.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from router.config.document import Path
from router.config.providers import KNOWN

from .litellm_routers import Deployment, Imported, add_group
from .litellm_terms import HEADERS, OPTIONS, PARAMETERS, REMARKS, SORTS, provider_of, remark, settings_of, variable

MASTER_KEY = "LITELLM_MASTER_KEY"
_TAKEN = frozenset(
    {"model", "api_key", "api_base", "base_url", "custom_llm_provider", "weight", "rpm", "tpm", "timeout",
     "stream_timeout", "input_cost_per_token", "output_cost_per_token", *HEADERS, *PARAMETERS, *OPTIONS}
)  # fmt: skip
_SECONDS = {
    "timeout": ("timeouts", "total_s"),
    "request_timeout": ("timeouts", "total_s"),
    "stream_timeout": ("timeouts", "first_token_s"),
    "cooldown_time": ("cooldown", "base_s"),
}
SETTINGS = ("litellm_settings", "router_settings")  # the later one wins
_CHAINS = ("fallbacks", "context_window_fallbacks")  # one walk takes both: too small a context falls back, too


Groups = Mapping[str, Sequence[Deployment]]
Places = Mapping[str, Path]  # where each setting stands


def convert(document: Mapping[str, Any]) -> Imported:
    """The whole configuration. Never fails for what is in it: what is not understood is a note."""
    imported = Imported()
    groups: dict[str, list[Deployment]] = {}
    for number, entry in enumerate(document["model_list"]):
        name, deployment = _deployment(entry, ("model_list", number), imported)
        if name and deployment is not None:
            groups.setdefault(name, []).append(deployment)
    settings = {key: value for part in SETTINGS for key, value in mapping(document.get(part)).items()}
    places: Places = {key: (part, key) for part in SETTINGS for key in mapping(document.get(part))}
    aliases = mapping(settings.pop("model_group_alias", None))
    chains = _chains(settings, places, imported)
    sort = SORTS.get(str(settings.get("routing_strategy")))
    if sort or settings.get("routing_strategy") == "simple-shuffle":
        del settings["routing_strategy"]
    _settings(settings, places, imported)
    _general(mapping(document.get("general_settings")), imported)
    for part in document:
        if part not in ("model_list", *SETTINGS, "general_settings"):
            imported.note(part + (remark(part) or "; no counterpart"), part)
    for name, deployments in groups.items():
        wanted = chains.get(name, chains.get("*", [])) if name not in chains.get("*", []) else chains.get(name, [])
        add_group(name, deployments, _models(name, wanted, groups), imported, sort=sort)
    for name in sorted(chains.keys() - groups.keys() - {"*"}):
        imported.note(f"fallbacks of {name}: no entry of model_list is called so", *places.get("fallbacks", ()))
    for alias, row in aliases.items():
        target = str(mapping(row).get("model", row) if isinstance(row, dict) else row)
        imported.aliases[str(alias)] = imported.aliases.get(target) or _models("", [target], groups)[0]
    return imported


def _deployment(entry: Any, place: Path, imported: Imported) -> tuple[str, Deployment | None]:
    name = str(mapping(entry).get("model_name", ""))
    params = mapping(mapping(entry).get("litellm_params"))
    model = params.get("model")
    if not name or not isinstance(model, str):
        imported.note(f"model_list entry {name or '?'}: no model", *place)
        return name, None
    if model == "*":
        imported.note(f"{name}: a wildcard needs nothing, provider/model works for every provider with a key", *place)
        return name, None
    if custom := params.get("custom_llm_provider"):
        model = f"{custom}/{model}"
    provider, bare = provider_of(model)
    provider = _provider(provider, settings_of(provider, params), imported)
    _note_params(name, provider, params, (*place, "litellm_params"), imported)
    if bare == "*":
        imported.note(f"{name}: a wildcard needs nothing, {provider}/<model> works for every model", *place)
        return name, None
    target = f"{provider}/{bare}"
    costs = {**mapping(mapping(entry).get("model_info")), **params}
    price = {
        side: round(float(costs[f"{side}_cost_per_token"]) * 1e6, 6)
        for side in ("input", "output")
        if _is_number(costs.get(f"{side}_cost_per_token"))
    }
    if len(price) == 2:
        imported.prices[target] = price
    shares = {key: float(params[key]) for key in ("weight", "rpm", "tpm") if _is_number(params.get(key))}
    parameters = {key: params[key] for key in PARAMETERS if key in params}
    timeouts = {
        _SECONDS[key][1]: float(params[key]) for key in ("timeout", "stream_timeout") if _is_positive(params.get(key))
    }
    return name, Deployment(target, shares, parameters, timeouts)


def _note_params(name: str, provider: str, params: Mapping[str, Any], place: Path, imported: Imported) -> None:
    for key in params:
        lost = key in OPTIONS and key not in imported.providers[provider].get("options", {})
        if key not in _TAKEN or key in ("rpm", "tpm") or lost:
            imported.note(f"{name}: {key}{remark(key)}", *place, key)
    if isinstance(params.get("api_key"), str) and not params["api_key"].startswith("os.environ/"):
        better = f"better: providers.{provider}.api_key: ${{NAME}}"
        imported.note(f"{name}: the key stands in the file as it did; {better}", *place, "api_key")


def _provider(name: str, wanted: dict[str, Any], imported: Imported) -> str:
    """The name under which a provider with these settings stands; a second address or key gets a number."""
    for number in range(1, 1000):
        candidate = name if number == 1 else f"{name}-{number}"
        if number > 1:
            known = KNOWN.get(name)
            wanted.setdefault("kind", known.kind if known else "openai")
            if known and known.base_url:
                wanted.setdefault("base_url", known.base_url)
            if known and known.variables:
                wanted.setdefault("api_key", f"${{{known.variables[0]}}}")
        if imported.providers.setdefault(candidate, wanted) == wanted:
            return candidate
    return name


def _chains(settings: dict[str, Any], places: Places, imported: Imported) -> dict[str, list[str]]:
    """Groups to fall back to, by group; `*` stands for a group that has none of its own."""
    found: dict[str, list[str]] = {}
    for key in _CHAINS:
        rows = settings.pop(key, None)
        for row in rows if isinstance(rows, list) else []:
            for name, others in mapping(row).items():
                if isinstance(others, list):
                    found.setdefault(str(name), []).extend(str(one) for one in others if isinstance(one, str))
                    if any(not isinstance(one, str) for one in others):
                        imported.note(f"{key}: {name}: a fallback that is not a name", *places[key])
    everywhere = settings.pop("default_fallbacks", None)
    if isinstance(everywhere, list):
        found.setdefault("*", []).extend(str(one) for one in everywhere)
    return found


def _models(name: str, wanted: Sequence[str], groups: Groups) -> list[str]:
    """Model strings of other groups: all their deployments, in order."""
    found = chain.from_iterable(
        [one.model for one in groups[other]] if other in groups else [other] for other in wanted if other != name
    )
    return list(dict.fromkeys(found))


def _settings(settings: Mapping[str, Any], places: Places, imported: Imported) -> None:
    for key, value in settings.items():
        if key == "num_retries" and isinstance(value, int):
            imported.defaults.setdefault("attempts", {})["max"] = min(max(value + 1, 1), 20)
        elif key == "allowed_fails" and isinstance(value, int) and value > 0:
            imported.defaults.setdefault("cooldown", {})["consecutive_failures"] = value
        elif key in _SECONDS and _is_positive(value):
            part, ours = _SECONDS[key]
            imported.defaults.setdefault(part, {})[ours] = value
            if ours == "base_s":  # theirs does not grow, and ours must not cut it short
                imported.defaults[part]["max_s"] = value
        elif key in REMARKS:
            imported.note(f"{key}{remark(key)}", *places[key])
        else:
            imported.note(f"{key}: {value!r}", *places[key])


def _general(settings: Mapping[str, Any], imported: Imported) -> None:
    for key, value in settings.items():
        if key != "master_key":
            imported.note(f"general_settings.{key}{remark(key)}", "general_settings", key)
            continue
        secret = variable(value) if str(value).startswith("os.environ/") else f"${{{MASTER_KEY}}}"
        imported.keys.append({"id": "master", "secret": secret, "write": True})
        if secret != variable(value):
            text = f"general_settings.master_key: not copied; set {MASTER_KEY} in the environment"
            imported.note(text, "general_settings", key)


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0
