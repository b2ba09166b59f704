"""`schema`: the grammar of both kinds of files as JSON Schema, for editors."""

import json
from typing import Any

from pydantic import BaseModel

from router.config.models import ServerFile
from router.config.router_file import RouterFile

from .show import fail

KINDS: dict[str, type[BaseModel]] = {"server": ServerFile, "router": RouterFile}
TITLES = {"server": "Realtime Router: server file", "router": "Realtime Router: router file"}


def schema_of(which: str) -> dict[str, Any]:
    """JSON Schema 2020-12 of `server` or `router`. Scalars may also be variable references."""
    schema = KINDS[which].model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = TITLES[which]
    return schema


def text_of(which: str) -> str:
    """The schema as it is printed and kept in docs/schema."""
    return json.dumps(schema_of(which), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def run(which: str) -> int:
    """Print it."""
    if which not in KINDS:
        return fail(f"{which!r} is not a file of ours; known: server, router")
    print(text_of(which), end="")
    return 0
