"""`/v1/messages`: Anthropic's Messages in front of chat; `/v1/messages/count_tokens` estimates, it asks nobody."""

import orjson

from .dialects import MessageAnswer, count_tokens, read_message
from .documents import JsonObject, check_chat, check_depth, parse
from .exchange import Exchange
from .site import Site
from .translated import Tell, Telling, Translated


def messages(site: Site) -> Translated:
    """The endpoint."""
    return Translated(site, read)


def read(document: JsonObject) -> tuple[JsonObject, Tell]:
    """A request as a chat, and who tells its answer."""
    asked = read_message(document)

    def tell(seed: str, _now_s: int) -> Telling:
        return MessageAnswer(thinks=asked.thinks, warnings=asked.warnings, seed=seed)

    return asked.chat, tell


class TokenCount:
    """The endpoint that estimates."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, exchange: Exchange) -> None:
        """Estimate how many tokens a request has. Raises Refusal for one that cannot be read."""
        site = self._site
        principal = site.known(exchange)
        body = await exchange.body(site.body_limit_bytes)
        document = parse(body)
        check_depth(body, document)
        chat = read_message(document, counting=True).chat
        check_chat(chat)
        site.check_scope(principal, chat, site.caller(exchange, principal))
        await exchange.respond(200, orjson.dumps({"input_tokens": count_tokens(chat)}))
