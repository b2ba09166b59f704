"""Other APIs' words for a chat, both ways. Pure: JSON in, JSON out; no I/O, no clock, no chance.

A dialect reads a request as a chat completion and prints the chat's answer, whole or growing, in its own shapes.
"""

from .blocks import Answer, Block
from .messages_answer import MessageAnswer
from .messages_request import AskedMessage, read_message
from .responses_answer import ResponseAnswer
from .responses_request import AskedResponse, read_response
from .transcript import count_tokens

__all__ = [
    "Answer",
    "AskedMessage",
    "AskedResponse",
    "Block",
    "MessageAnswer",
    "ResponseAnswer",
    "count_tokens",
    "read_message",
    "read_response",
]
