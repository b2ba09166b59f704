import jsonschema
import pytest

from router.upstreams.demo.samples import Sampler

SCHEMAS = [
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False},
    {"type": "object", "properties": {"unit": {"enum": ["celsius", "fahrenheit"]}}, "required": ["unit"]},
    {"type": "object", "properties": {"n": {"type": "integer", "minimum": 10, "maximum": 20, "multipleOf": 4}},
     "required": ["n"]},
    {"type": "object", "properties": {"n": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5}},
     "required": ["n"]},
    {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 4, "uniqueItems": True},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 2, "uniqueItems": True},
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}]},
    {"$defs": {"point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}},
     "type": "object", "properties": {"at": {"$ref": "#/$defs/point"}, "via": {"type": "array",
     "items": {"$ref": "#/$defs/point"}}}, "required": ["at", "via"]},
    {"anyOf": [{"type": "null"}, {"type": "string", "minLength": 30, "maxLength": 40}]},
    {"oneOf": [{"type": "integer", "minimum": 7}, {"type": "string"}]},
    {"allOf": [{"properties": {"a": {"const": 5}}, "required": ["a"]}, {"properties": {"b": {"type": "boolean"}},
     "required": ["b"]}]},
    {"type": ["null", "string"], "format": "date-time"},
    {"type": "object", "required": ["anything"]},
    {"items": {"type": "null"}},
    {"type": "integer", "maximum": -3},
    {"type": "string", "default": "x", "examples": ["y"]},
    {},
]  # fmt: skip
TEXTS = ["What is the weather in Paris tomorrow, in fahrenheit, 12 times?", "", "no thanks", "city: Berlin -4 0.25 99"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("schema", SCHEMAS, ids=range(len(SCHEMAS)))
def test_samples_are_valid_against_their_schema(schema, text):
    value = Sampler(schema, text).value()
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(value)) == []


def test_words_of_the_text_fill_what_they_fit():
    schema = {
        "type": "object",
        "properties": {
            "location": {"type": "string"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1},
            "detailed": {"type": "boolean"},
            "color": {"type": "string"},
        },
        "required": ["location", "unit", "days"],
    }
    text = "What will the weather be in New York for 3 days, fahrenheit, color blue please"
    filled = {"location": "New York", "unit": "fahrenheit", "days": 3, "color": "blue"}
    assert Sampler(schema, text).value() == filled


def test_a_pattern_takes_the_first_word_that_fits_it():
    assert Sampler({"type": "string", "pattern": "^[A-Z]{2}[0-9]+$"}, "my code is AB12 ok").value() == "AB12"


def test_a_schema_that_refers_to_itself_ends():
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["child"]}
    value, depth = Sampler(schema, "hello").value(), 0
    while value.get("child"):
        value, depth = value["child"], depth + 1
    assert 0 < depth < 100


def test_broken_schemas_still_give_a_value():
    assert Sampler({"type": "string", "pattern": "("}, "hello").value() == "hello"
    assert Sampler({"anyOf": [], "$ref": "#/nowhere"}, "hello").value() == "hello"
    assert Sampler({"type": "object", "properties": 3, "required": [1, "a"]}, "hello").value() == {"a": "hello"}
