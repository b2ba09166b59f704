"""The three ways to spell the same session."""

from enum import StrEnum


class Dialect(StrEnum):
    """How events are spelled: OpenAI's present shape, its retired beta shape, Inworld's."""

    GA = "ga"
    BETA = "beta"
    INWORLD = "inworld"
