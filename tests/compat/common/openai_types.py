"""Server events held strictly against the types of the openai package that is installed beside the driver."""

import json
from typing import get_args

from pydantic import TypeAdapter, ValidationError


def classes(union):
    """Every class of the SDK's union by the event type it stands for."""
    found = {}
    for one in get_args(get_args(union)[0]) or get_args(union):
        for kind in get_args(one.model_fields["type"].annotation):
            found[kind] = one
    return found


class Judge:
    """Notes what the types say against events."""

    def __init__(self, union):
        self._kinds = classes(union)
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def look(self, document):
        """Hold one event against its type."""
        kind = self._kinds.get(document["type"])
        self.seen.add(document["type"])
        if kind is None:
            self.wrong.append(f"unknown to the SDK: {document['type']}")
            return
        try:
            TypeAdapter(kind).validate_json(json.dumps(document), strict=True)
        except ValidationError as error:
            self.wrong.append(f"{document}: {error}")
