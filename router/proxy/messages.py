"""`/v1/messages`: Anthropic's Messages in front of chat; `/v1/messages/count_tokens` estimates, it asks nobody."""

from .dialects import MessageAnswer, read_message
from .documents import JsonObject
from .site import Site
from .translated import Tell, Telling, TokenCount, Translated


def answering(site: Site) -> Translated:
    """The endpoint."""
    return Translated(site, read)


def read(document: JsonObject) -> tuple[JsonObject, Tell]:
    """A request as a chat, and who tells its answer."""
    asked = read_message(document)

    def tell(seed: str, _now_s: int) -> Telling:
        return MessageAnswer(thinks=asked.thinks, warnings=asked.warnings, seed=seed)

    return asked.chat, tell


def counting(site: Site) -> TokenCount:
    """The endpoint that estimates."""
    return TokenCount(site, lambda document: read_message(document, counting=True).chat)
