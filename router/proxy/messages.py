"""`/v1/messages`: Anthropic's Messages in front of chat; `/v1/messages/count_tokens` estimates, it asks nobody."""

from functools import partial

from .dialects import MessageAnswer, read_message
from .documents import JsonObject
from .site import Site
from .translated import Tell, Telling, TokenCount, Translated


def answering(site: Site) -> Translated:
    """The endpoint."""
    return Translated(site, read)


def read(document: JsonObject, *, counting: bool = False) -> tuple[JsonObject, Tell]:
    """A request as a chat, and who tells its answer. `counting`: nobody will answer it."""
    asked = read_message(document, counting=counting)

    def tell(seed: str, _now_s: int) -> Telling:
        return MessageAnswer(thinks=asked.thinks, warnings=asked.warnings, seed=seed)

    return asked.chat, tell


def counting(site: Site) -> TokenCount:
    """The endpoint that estimates."""
    return TokenCount(site, partial(read, counting=True))
