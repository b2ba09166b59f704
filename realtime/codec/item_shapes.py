"""The shapes of conversation items that clients send, as data: messages of each role, calls, and MCP's."""

from collections.abc import Mapping

from .shapes import Anything, Choice, Flag, ListOf, Record, Shape, Tagged, Text

_TEXT, _FLAG, _ANY = Text(), Flag(), Anything()
_INPUT_TEXT = Record({"type": _TEXT, "text": _TEXT}, required=("text",))
_INPUT_AUDIO = Record({"type": _TEXT, "audio": _TEXT, "transcript": _TEXT})
_INPUT_IMAGE = Record(
    {"type": _TEXT, "image_url": _TEXT, "detail": Choice(("auto", "low", "high"))}, required=("image_url",)
)
_HEAD: Mapping[str, Shape] = {
    "id": Text(longest=512),
    "object": _TEXT,
    "type": _TEXT,
    "status": Choice(("completed", "incomplete", "in_progress")),
}


def _message(parts: Mapping[str, Shape]) -> Record:
    fields = {**_HEAD, "role": _TEXT, "content": ListOf(Tagged("type", parts))}
    return Record(fields, required=("role", "content"))


_OUTPUT_TEXT, _OUTPUT_AUDIO = _INPUT_TEXT, _INPUT_AUDIO
ITEM = Tagged(
    "type",
    {
        "message": Tagged(
            "role",
            {
                "system": _message({"input_text": _INPUT_TEXT, "text": _INPUT_TEXT}),
                "user": _message(
                    {
                        "input_text": _INPUT_TEXT,
                        "input_audio": _INPUT_AUDIO,
                        "input_image": _INPUT_IMAGE,
                        "text": _INPUT_TEXT,
                        "audio": _INPUT_AUDIO,
                    }
                ),
                "assistant": _message(
                    {
                        "output_text": _OUTPUT_TEXT,
                        "output_audio": _OUTPUT_AUDIO,
                        "text": _OUTPUT_TEXT,
                        "audio": _OUTPUT_AUDIO,
                    }
                ),
            },
        ),
        "function_call": Record(
            {**_HEAD, "call_id": _TEXT, "name": _TEXT, "arguments": _TEXT}, required=("name", "arguments")
        ),
        "function_call_output": Record({**_HEAD, "call_id": _TEXT, "output": _TEXT}, required=("call_id", "output")),
        "mcp_approval_response": Record(
            {**_HEAD, "approval_request_id": _TEXT, "approve": _FLAG, "reason": _TEXT},
            required=("approval_request_id", "approve"),  # the id too, by the schema; the agents SDK gives none
        ),
        "mcp_list_tools": Record(
            {**_HEAD, "server_label": _TEXT, "tools": ListOf(_ANY)}, required=("server_label", "tools")
        ),
        "mcp_call": Record(
            {
                **_HEAD,
                "arguments": _TEXT,
                "name": _TEXT,
                "server_label": _TEXT,
                "approval_request_id": _TEXT,
                "error": _ANY,
                "output": _TEXT,
            },
            required=("id", "arguments", "name", "server_label"),
        ),
        "mcp_approval_request": Record(
            {**_HEAD, "arguments": _TEXT, "name": _TEXT, "server_label": _TEXT},
            required=("id", "arguments", "name", "server_label"),
        ),
    },
)
INPUT_ITEM = Tagged(
    "type",
    {**ITEM.records, "item_reference": Record({"type": _TEXT, "id": _TEXT}, required=("id",))},
)
