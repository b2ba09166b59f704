"""`/v1/responses`: OpenAI's Responses in front of chat. Nothing is stored: its addresses say so."""

from .dialects import ResponseAnswer, read_response
from .documents import JsonObject
from .exchange import Exchange
from .faults import refused
from .site import Site
from .translated import Tell, Telling, TokenCount, Translated


def answering(site: Site) -> Translated:
    """The endpoint."""
    return Translated(site, read)


def read(document: JsonObject) -> tuple[JsonObject, Tell]:
    """A request as a chat, and who tells its answer."""
    asked = read_response(document)

    def tell(seed: str, now_s: int) -> Telling:
        return ResponseAnswer(asked, seed=seed, created_s=now_s)

    return asked.chat, tell


def counting(site: Site) -> TokenCount:
    """The endpoint that estimates."""
    return TokenCount(site, read, {"object": "response.input_tokens"})


class Stored:
    """What the addresses of stored responses answer: 404, and why."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, exchange: Exchange) -> None:
        """Raises Refusal."""
        self._site.principal(exchange.headers)
        message = "Responses are not stored here: none can be read, deleted or cancelled. Keep what you need of them."
        raise refused(404, message, code="response_not_found")
