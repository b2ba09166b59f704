"""The reference of both kinds of files as Markdown, made from the models: `python -m router.config.reference`.

One section a model, in the order in which the files nest; a test keeps docs/configuration.md as this says.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from .models import ServerFile
from .policy import PROFILES
from .router_file import RouterFile

HEAD = """\
# Configuration

Made from the code by `python -m router.config.reference > docs/configuration.md`; a test says when it is out of date.

Two kinds of files: one **server file** (`serve --config FILE`, or `RR_CONFIG`) and any number of **router files**. YAML
1.2 or JSON, UTF-8. Unknown keys are refused, nothing is repaired in silence, and every message carries
`file:line:column`, the line, and a "did you mean" where one is near. `${NAME}` and `${NAME:-default}` take the
environment; `NAME_FILE` names a file with the value (container secrets). A missing variable without a default is an
error that names it. Schemas for editors: `realtime-router schema server|router`, also in `docs/schema`.

Files are read again when they change and on SIGHUP: whole, or not at all. A bad file changes nothing; the log,
`/readyz` and `rr_config_reload_total` say so.

Without any server file these defaults hold, and every provider whose usual key variable is set is there
(`OPENAI_API_KEY`, `GROQ_API_KEY`, ...), an Ollama that answers on its usual port, and always `demo`.
"""
BETWEEN = """
Model strings, wherever a model is named: `provider/model` (split at the first slash), a bare `model` (every provider
that offers it, best first), `auto` (picked by `sort`), `router/NAME` (a router).

Request metadata: at most 16 flat pairs of the caller's; keys of 1 to 64 characters,
texts to 512, lists of scalars allowed.
"""


def reference() -> str:
    """The whole page."""
    parts = [HEAD, *_profiles(), "\n## Server file\n", *_sections(ServerFile), "\n## Router file\n"]
    return "".join([*parts, *_sections(RouterFile), BETWEEN])


def _profiles() -> Iterator[str]:
    yield "\n## Profiles\n\n`defaults.profile` (or a router's `profile`) sets these; each can be overridden.\n\n"
    yield "| | " + " | ".join(f"`{name}`" for name in PROFILES) + " |\n|---|" + "---|" * len(PROFILES) + "\n"
    for name in ("connect_s", "first_token_s", "idle_s", "answer_s", "total_s"):
        yield (
            f"| `timeouts.{name}` | " + " | ".join(f"{getattr(p.timeouts, name):g}" for p in PROFILES.values()) + " |\n"
        )
    rows = {
        "attempts.max": "max_attempts",
        "attempts.retry_budget": "retry_budget",
        "attempts.retry_same": "retry_same",
    }
    rows |= {"attempts.wait_for_retry_after_s": "wait_for_retry_after_s", "on_interrupt": "on_interrupt"}
    for shown, name in rows.items():
        yield f"| `{shown}` | " + " | ".join(str(getattr(p, name)) for p in PROFILES.values()) + " |\n"


def _sections(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema()
    models: Mapping[str, Any] = schema.get("$defs", {})
    todo, seen = [(model.__name__, schema)], {model.__name__}
    while todo:
        name, one = todo.pop(0)
        yield f"\n### {name}\n\n{one.get('description', '').strip()}\n\n"
        yield "| key | value | default | meaning |\n|---|---|---|---|\n"
        required = one.get("required", ())
        for key, field in one.get("properties", {}).items():
            default = "**required**" if key in required else _default(field)
            yield f"| `{key}` | {_kind(field)} | {default} | {_meaning(field, models)} |\n"
            for inner in _named(field):
                if inner in models and inner not in seen and models[inner].get("type") == "object":
                    seen.add(inner)
                    todo.append((inner, models[inner]))


def _meaning(field: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """The field's own words, else the first sentence of the model that it leads to."""
    led = (models[name].get("description", "") for name in _named(field) if name in models)
    text = field.get("description") or next((words.partition(". ")[0].strip(" .\n") for words in led), "")
    return _plain(text)


def _kind(field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        kinds = [_kind(one) for one in field["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(f"`{word}`" for word in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    kind = str(field.get("type", "anything"))
    if kind == "array":
        inner = field.get("items") or {}
        return f"list of {_kind(inner)}" if inner else "list"
    if kind == "object":
        inner = _values(field)
        return f"map to {_kind(inner)}" if isinstance(inner, dict) and inner else "map"
    return {"string": "text", "integer": "whole number", "boolean": "true, false"}.get(kind, kind) + _bounds(field)


def _bounds(field: Mapping[str, Any]) -> str:
    marks = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [f"{mark} {field[name]:g}" for name, mark in marks.items() if name in field]
    return f" ({', '.join(said)})" if said else ""


def _default(field: Mapping[str, Any]) -> str:
    value = field.get("default")
    if value is None or isinstance(value, dict | list) or value == "":
        return "–"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _named(field: Mapping[str, Any]) -> Iterator[str]:
    """The models a field leads to."""
    if "$ref" in field:
        yield field["$ref"].rpartition("/")[2]
    for inner in (*field.get("anyOf", ()), field.get("items"), _values(field)):
        if isinstance(inner, dict):
            yield from _named(inner)


def _values(field: Mapping[str, Any]) -> Any:
    """The schema of a map's values."""
    return next(iter(field.get("patternProperties", {}).values()), field.get("additionalProperties"))


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(reference())
