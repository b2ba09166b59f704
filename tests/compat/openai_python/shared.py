"""What the drivers of this package share: the client, a tool, a shape of answers, documents held against the types."""

import openai
from pydantic import BaseModel, TypeAdapter, ValidationError
from report import GIVEN

BASE = f"{GIVEN['http']}/v1"
WEATHER = {
    "name": "get_weather",
    "description": "weather of a city",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
WRONG: list[str] = []


class Person(BaseModel):
    """What structured output is to look like."""

    name: str
    age: int


def client(**more):
    return openai.OpenAI(**({"base_url": BASE, "api_key": GIVEN["key"], "max_retries": 0} | more))


def strictly(kind, document):
    """Note what the SDK's own type says against a document."""
    try:
        TypeAdapter(kind).validate_python(document, strict=True)
    except ValidationError as error:
        WRONG.append(f"{kind}: {error}")
