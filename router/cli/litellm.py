"""`import litellm FILE`: a LiteLLM proxy configuration becomes our files; what has no counterpart becomes a comment.

A `model_name` with several deployments becomes a router that splits by their weights (even without weights); one with a
single deployment becomes an alias, or a router when it has fallbacks.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from router.catalogue import LISTED_AS
from router.config import ConfigError
from router.config.document import parse, plain
from router.config.files import read
from router.config.providers import KNOWN

from .show import complain, console, fail

SERVER_NAME = "realtime-router.yaml"
HEAD = "# yaml-language-server: $schema={}\n# Imported from {}. Check with: realtime-router check {}\n"
_OURS = {theirs: ours for ours, listed in LISTED_AS.items() for theirs in listed}
_TAKEN = {"model", "api_key", "api_base", "weight", "rpm", "tpm", "temperature", "max_tokens", "top_p", "timeout"}
_PARAMETERS = ("temperature", "max_tokens", "top_p")


@dataclass(slots=True)
class Imported:
    """What came out. `notes` name what could not be translated."""

    providers: dict[str, dict[str, Any]] = field(default_factory=dict)
    routers: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry of model_list, translated."""

    model: str
    weight: float
    parameters: Mapping[str, Any]


def run(file: Path, out: Path) -> int:
    """Write the server file and the routers below `out`; 1 when a file is there or FILE cannot be read."""
    try:
        document = plain(parse(read(file), str(file)), str(file))
    except ConfigError as error:
        return complain(error)
    if not isinstance(document, dict) or not isinstance(document.get("model_list"), list):
        return fail(f"{file} has no model_list; is it a LiteLLM proxy configuration?")
    imported = convert(document)
    files = {SERVER_NAME: server_text(imported, file)}
    files |= {f"routers/{name}.yaml": router_text(router, file) for name, router in imported.routers.items()}
    there = [name for name in files if (out / name).exists()]
    if there:
        return fail(f"{out / there[0]} is there already; nothing was written")
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    say = console()
    say.print(f"wrote {', '.join(files)} below {out}", markup=False)
    for note in imported.notes:
        say.print(f"not translated: {note}", style="yellow", markup=False)
    return 0


def convert(document: Mapping[str, Any]) -> Imported:
    """The whole configuration. Never fails for what is in it: what is not understood is a note."""
    imported = Imported()
    groups: dict[str, list[Deployment]] = {}
    for entry in document["model_list"]:
        name, deployment = _deployment(entry, imported)
        if name and deployment is not None:
            groups.setdefault(name, []).append(deployment)
    settings = {**_mapping(document.get("litellm_settings")), **_mapping(document.get("router_settings"))}
    fallbacks = _fallbacks(settings.pop("fallbacks", None))
    _settings(settings, imported)
    for part in document:
        if part not in ("model_list", "litellm_settings", "router_settings"):
            imported.notes.append(f"{part}: see the server file's own keys (auth, records, state)")
    for name, deployments in groups.items():
        _group(name, deployments, [_model(other, groups) for other in fallbacks.get(name, ())], imported)
    return imported


def _deployment(entry: Any, imported: Imported) -> tuple[str, Deployment | None]:
    name = str(_mapping(entry).get("model_name", ""))
    params = _mapping(_mapping(entry).get("litellm_params"))
    model = params.get("model")
    if not name or not isinstance(model, str):
        imported.notes.append(f"model_list entry {name or '?'}: no model")
        return name, None
    theirs, slash, rest = model.partition("/")
    provider, bare = (_OURS.get(theirs, theirs), rest) if slash else ("openai", model)
    wanted: dict[str, Any] = {}
    if provider not in KNOWN:
        wanted["kind"] = "litellm"
    if params.get("api_base"):
        wanted["base_url"] = _variable(params["api_base"])
        wanted["kind"] = "openai"
    if params.get("api_key"):
        wanted["api_key"] = _variable(params["api_key"])
    provider = _provider(provider, wanted, imported)
    imported.notes += [f"{name}: litellm_params.{key}" for key in params if key not in _TAKEN]
    imported.notes += [
        f"{name}: {key}; set it for the caller's key in auth.keys" for key in ("rpm", "tpm") if key in params
    ]
    if bare == "*":
        imported.notes.append(f"{name}: a wildcard needs nothing, {provider}/<model> works for every model")
        return name, None
    weight = params.get("weight", 1)
    parameters = {key: params[key] for key in _PARAMETERS if key in params}
    return name, Deployment(f"{provider}/{bare}", float(weight) if isinstance(weight, int | float) else 1.0, parameters)


def _provider(name: str, wanted: dict[str, Any], imported: Imported) -> str:
    """The name under which a provider with these settings stands; a second address or key gets a number."""
    for number in range(1, 1000):
        candidate = name if number == 1 else f"{name}-{number}"
        there = imported.providers.get(candidate)
        if there is None or there == wanted:
            if number > 1:
                wanted.setdefault("kind", KNOWN[name].kind if name in KNOWN else "openai")
                if name in KNOWN and KNOWN[name].base_url:
                    wanted.setdefault("base_url", KNOWN[name].base_url)
            imported.providers[candidate] = wanted
            return candidate
    return name


def _variable(value: Any) -> str:
    text = str(value)
    return f"${{{text.removeprefix('os.environ/')}}}" if text.startswith("os.environ/") else text.replace("${", "$${")


def _fallbacks(given: Any) -> dict[str, list[str]]:
    rows = [row for row in given or () if isinstance(row, dict)] if isinstance(given, list) else []
    return {
        name: [str(one) for one in others] for row in rows for name, others in row.items() if isinstance(others, list)
    }


def _model(name: str, groups: Mapping[str, list[Deployment]]) -> str:
    found = groups.get(name)
    return found[0].model if found else name


def _settings(settings: Mapping[str, Any], imported: Imported) -> None:
    for key, value in settings.items():
        if key == "num_retries" and isinstance(value, int):
            imported.defaults.setdefault("attempts", {})["max"] = min(max(value + 1, 1), 20)
        elif key in ("timeout", "request_timeout") and isinstance(value, int | float) and value > 0:
            imported.defaults.setdefault("timeouts", {})["total_s"] = value
        elif key == "stream_timeout" and isinstance(value, int | float) and value > 0:
            imported.defaults.setdefault("timeouts", {})["first_token_s"] = value
        elif key == "allowed_fails" and isinstance(value, int) and value > 0:
            imported.defaults.setdefault("cooldown", {})["consecutive_failures"] = value
        elif key == "cooldown_time" and isinstance(value, int | float) and value > 0:
            imported.defaults.setdefault("cooldown", {})["base_s"] = value
        else:
            imported.notes.append(f"setting {key}: {value!r}")


def _group(name: str, deployments: list[Deployment], fallbacks: list[str], imported: Imported) -> None:
    router = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or "router"
    if len(deployments) == 1 and not fallbacks and not deployments[0].parameters:
        if name != deployments[0].model:
            imported.aliases[name] = deployments[0].model
        return
    total = sum(max(one.weight, 0) for one in deployments) or 1.0
    weights = [round(max(one.weight, 0) / total * 100, 2) for one in deployments]
    weights[0] = round(100 - sum(weights[1:]), 2)
    variants = []
    for number, (one, weight) in enumerate(zip(deployments, weights, strict=True), 1):
        others = [other.model for other in deployments if other is not one]
        variant: dict[str, Any] = {"id": f"d{number}", "weight": weight, "model": one.model}
        if others:
            variant["fallbacks"] = list(dict.fromkeys(others))
        if one.parameters:
            variant["parameters"] = dict(one.parameters)
        variants.append(variant)
    document: dict[str, Any] = {"router": router, "default": {"id": "default", "variants": variants}}
    if fallbacks:
        document["fallbacks"] = fallbacks
    imported.routers[router] = document
    imported.aliases[name] = f"router/{router}"


def server_text(imported: Imported, file: Path) -> str:
    """The server file, notes as comments at its end."""
    document: dict[str, Any] = {
        "version": 1,
        "providers": {name: row or None for name, row in imported.providers.items()},
    }
    if imported.defaults:
        document["defaults"] = imported.defaults
    if imported.routers:
        document["routers"] = ["routers"]
    if imported.aliases:
        document["aliases"] = imported.aliases
    text = HEAD.format("docs/schema/server.schema.json", file.name, SERVER_NAME)
    text += yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    if imported.notes:
        text += "\n# Not translated:\n" + "".join(f"#   {_comment(note)}\n" for note in imported.notes)
    return text


def router_text(router: Mapping[str, Any], file: Path) -> str:
    """One router file."""
    head = HEAD.format("../docs/schema/router.schema.json", file.name, SERVER_NAME)
    return head + yaml.safe_dump(dict(router), sort_keys=False, allow_unicode=True)


def _comment(note: str) -> str:
    return re.sub(r"(?i)(key|secret|password|token)([^:]*): '[^']*'", r"\1\2: …", note).replace("\n", " ")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
