"""The OpenAPI document as one page to read: no script, nothing fetched from elsewhere."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
SECTIONS = {  # by tag, in the order of reading
    "inference": "Models",
    "experiments": "Experiments",
    "routers": "Saved routers",
    "credentials": "Tokens and client secrets",
    "operations": "Operation",
}
STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem }
code, pre { font: .86rem/1.5 ui-monospace, monospace }
pre { overflow-x: auto; padding: .8rem 1rem; border: 1px solid #8885; border-radius: 8px }
p.row, summary { display: grid; grid-template-columns: 4.5rem 1fr 1fr; gap: 1rem; margin: 0; padding: .3rem 0 }
summary { cursor: pointer }
summary span::after { content: " ▾"; color: #888 }
details td { padding: .15rem 1rem .15rem 0; vertical-align: top }
details table { margin: .2rem 0 1rem 5.5rem }
.row code:first-child, summary code:first-child { font-weight: 600 }
"""


def page_of(schema: Mapping[str, Any], address: str) -> str:
    """The page for a server that is reached at `address`: a call to try, then every operation by its subject."""
    title = f"{html.escape(schema['info']['title'])} {html.escape(schema['info']['version'])}"
    body = '{"model": "auto", "messages": [{"role": "user", "content": "count to 5"}]}'
    call = f"curl {address}/v1/chat/completions -H 'content-type: application/json' \\\n  -d '{body}'"
    return (
        f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>{title}: API</title><style>{STYLE}</style><h1>{title}</h1>"
        f'<p>The same as <a href="/openapi.json">OpenAPI</a>; to try it, the <a href="/">playground</a>. Where keys '
        f"are configured, send one: <code>Authorization: Bearer …</code>.</p><pre>{html.escape(call)}</pre>"
        f"<p>Voice speaks WebSocket, which OpenAPI does not describe: <code>/v1/realtime</code> as OpenAI's, "
        f"<code>/api/v1/realtime/session</code> as Inworld's.</p>{''.join(_sections(schema))}</html>"
    )


def _sections(schema: Mapping[str, Any]) -> Iterator[str]:
    found: dict[str, list[str]] = {tag: [] for tag in SECTIONS}
    for path, methods in sorted(schema["paths"].items()):
        for method, operation in methods.items():
            tag = next(iter(operation.get("tags", ())), "")
            found.setdefault(tag, []).append(_operation(schema, method, path, operation))
    for tag, operations in found.items():
        if operations:
            yield f"<h2>{html.escape(SECTIONS.get(tag, tag))}</h2>{''.join(operations)}"


def _operation(schema: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> str:
    """One line; where the body's fields are known, it opens to show them."""
    line = (
        f"<code>{html.escape(method.upper())}</code><code>{html.escape(path)}</code>"
        f"<span>{html.escape(operation.get('summary', ''))}</span>"
    )
    fields = _fields(schema, operation)
    if not fields:
        return f"<p class=row>{line}</p>"
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(_kind(field))}"
        f"<td>{html.escape(field.get('description', ''))}"
        for name, field in fields.items()
    )
    return f"<details><summary>{line}</summary><table>{rows}</table></details>"


def _fields(schema: Mapping[str, Any], operation: Mapping[str, Any]) -> Mapping[str, Any]:
    content: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {})
    body: Mapping[str, Any] = next((kind["schema"] for kind in content.values()), {})
    if "$ref" in body:
        body = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    fields: Mapping[str, Any] = body.get("properties", {})
    return fields


def _kind(field: Mapping[str, Any]) -> str:
    kinds = field.get("type", "any")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
