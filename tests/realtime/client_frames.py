"""What clients send: every event in full, every kind of item, and short words to decode them."""

import base64
import json

from realtime import protocol as p
from realtime.codec import Codec, Dialect

AUDIO = base64.b64encode(bytes(480)).decode()
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
FULL = {
    "session.update": {
        "session": {
            "type": "realtime",
            "model": "m",
            "instructions": "be brief",
            "output_modalities": ["audio"],
            "max_output_tokens": "inf",
            "tools": [{"type": "function", "name": "look", "description": "", "parameters": {"type": "object"}}],
            "tool_choice": {"type": "function", "name": "look"},
            "tracing": "auto",
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 9}},
            "prompt": None,
            "include": ["item.input_audio_transcription.logprobs"],
            "parallel_tool_calls": True,
            "reasoning": {"effort": "low"},
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": {"model": "whisper-1", "language": "en"},
                    "noise_reduction": {"type": "near_field"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.4, "idle_timeout_ms": 6000},
                },
                "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "marin"}, "speed": 1.1},
            },
        }
    },
    "input_audio_buffer.append": {"audio": AUDIO},
    "input_audio_buffer.commit": {},
    "input_audio_buffer.clear": {},
    "output_audio_buffer.clear": {},
    "conversation.item.create": {"item": ITEM, "previous_item_id": "root"},
    "conversation.item.retrieve": {"item_id": "item_1"},
    "conversation.item.delete": {"item_id": "item_1"},
    "conversation.item.truncate": {"item_id": "item_1", "content_index": 0, "audio_end_ms": 100},
    "response.create": {
        "response": {
            "conversation": "none",
            "input": [{"type": "item_reference", "id": "item_1"}, ITEM],
            "instructions": "sum up",
            "metadata": {"topic": "sum"},
            "output_modalities": ["text"],
            "max_output_tokens": 100,
            "tool_choice": "none",
            "tools": [],
            "audio": {"output": {"format": {"type": "audio/pcma"}, "voice": "cedar"}},
        }
    },
    "response.cancel": {"response_id": "resp_1"},
}
ITEMS = [
    ITEM,
    {"type": "message", "role": "system", "id": "s", "content": [{"type": "input_text", "text": "be kind"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]},
    {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "hello"}]},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_audio", "audio": AUDIO},
            {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        ],
    },
    {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "c", "status": "completed"},
    {"type": "function_call", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "blue"},
    {"type": "mcp_approval_response", "id": "m1", "approval_request_id": "r", "approve": True},
    {"type": "mcp_list_tools", "server_label": "s", "tools": []},
    {"type": "mcp_call", "id": "m2", "arguments": "{}", "name": "n", "server_label": "s"},
    {"type": "mcp_approval_request", "id": "m3", "arguments": "{}", "name": "n", "server_label": "s"},
]


def decode(wire, dialect=Dialect.GA):
    codec = Codec(dialect, event_ids=lambda: "event_1")
    return codec.decode(wire if isinstance(wire, str | bytes) else json.dumps(wire), at_ms=5.0)


def update(session, dialect=Dialect.GA):
    return decode({"type": "session.update", "session": session}, dialect)


def fault(event):
    assert isinstance(event, p.Malformed), event
    return event.fault.code, event.fault.param
