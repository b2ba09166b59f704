"""The page of the API: what it shows is escaped, sorted by subject, and fetched from nowhere else."""

import re

from router.proxy.api_page import page_of

ADDRESS = "http://127.0.0.1:8080"


def page(paths, schemas=None):
    info = {"title": "Realtime Router", "version": "1"}
    return page_of({"info": info, "paths": paths, "components": {"schemas": schemas or {}}}, ADDRESS)


def body(schema, kind="application/json"):
    return {"requestBody": {"content": {kind: {"schema": schema}}}}


def test_it_runs_nothing_and_fetches_nothing():
    text = page({"/x": {"get": {"summary": "X"}}})
    assert not re.search(r"<script|<link|<img|src=|@import|url\(", text)
    assert text.replace(ADDRESS, "").count("http") == 0


def test_what_it_shows_is_escaped():
    text = page_of({"info": {"title": "<b>", "version": "1"}, "paths": {"/<x>": {"get": {"summary": "<i>"}}}}, "<u>")
    assert not re.search("<b>|<x>|<i>|<u>", text)
    assert "/&lt;x&gt;" in text


def test_operations_stand_below_their_subject_in_the_order_of_reading():
    text = page({
        "/livez": {"get": {"tags": ["operations"]}},
        "/own": {"get": {"tags": ["own"]}},
        "/v1/chat": {"post": {"tags": ["inference"]}},
    })  # fmt: skip
    assert re.findall(r"<h2>(.*?)</h2>", text) == ["Models", "Operation", "own"]
    assert text.index("/v1/chat") < text.index("/livez") < text.index("/own")


def test_an_operation_opens_to_the_fields_of_its_body():
    fields = {"model": {"type": "string", "description": "whom"}, "value": {"type": ["number", "boolean"]}, "free": {}}
    text = page(
        {"/a": {"post": body({"$ref": "#/components/schemas/Ask"})}, "/b": {"post": body({"type": "object"})}},
        {"Ask": {"properties": fields}},
    )
    assert text.count("<details>") == 1
    assert "<code>model</code><td>string<td>whom" in text
    assert "<td>number or boolean<td>" in text
    assert "<code>free</code><td>any<td>" in text
