"""From settings and conversation to the request of one reply."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .conversation import Conversation, Entry
from .effects import ReplyRequest
from .history import fit, paired, readable, routing_facts, transcribed
from .items import AudioPart, Item, McpItem, Message
from .remote_calls import as_functions
from .rules import SessionRules
from .settings import Retention, SessionSettings
from .tool_servers import Offer


def context(
    conversation: Conversation, settings: SessionSettings, rules: SessionRules, extra: Iterable[Item] = ()
) -> tuple[Item, ...] | None:
    """The conversation as the model shall see it, cut to the limit; None when it is too long and may not be cut."""
    items = _visible(entry for entry in conversation if not entry.forgotten)
    kept = fit([*items, *extra], settings.truncation, rules.context_limit_tokens - limit_for(settings))
    return None if kept is None else paired(kept)


def _visible(entries: Iterable[Entry]) -> Iterator[Item]:
    for entry in entries:
        if isinstance(entry.item, McpItem):
            yield from as_functions(entry.item)
        elif (item := readable(entry)) is not None:
            yield item


def limit_for(settings: SessionSettings) -> int:
    """Tokens to be kept free for instructions and tools; nothing when a limit after instructions was given."""
    truncation = settings.truncation
    if isinstance(truncation, Retention) and truncation.limit_tokens is not None:
        return 0
    return (len(settings.instructions) + sum(len(str(tool)) for tool in settings.tools)) // 4


def forget(conversation: Conversation, kept: Sequence[Item]) -> None:
    """What was cut once stays out, so that the beginning of the context does not change with every turn."""
    ids = {item.id for item in kept}
    for entry in conversation:
        if entry.item.id in ids:
            return
        entry.forgotten = True


def request(
    settings: SessionSettings,
    items: tuple[Item, ...],
    offer: Offer,
    *,
    metadata: Mapping[str, str] | None,
    voice_profile: Mapping[str, object] | None,
) -> ReplyRequest:
    """All that one reply is made from."""
    user_id, facts = routing_facts(settings.provider)
    return ReplyRequest(
        model=settings.model,
        instructions=settings.instructions,
        items=items,
        modalities=settings.modalities,
        voice=settings.voice,
        speed=settings.speed,
        output_format=settings.output_format,
        speech_model=settings.speech_model,
        speech_language=settings.speech_language,
        tools=offer.functions,
        tool_choice=offer.choice,
        parallel_tool_calls=settings.parallel_tool_calls,
        max_output_tokens=settings.max_output_tokens,
        temperature=settings.temperature,
        reasoning=settings.reasoning,
        prompt=settings.prompt,
        metadata=metadata,
        user_id=user_id,
        facts=facts,
        voice_profile=voice_profile,
        provider=settings.provider,
    )


def recorded(item: Item) -> bytes | None:
    """Speech that came with an item and was never transcribed."""
    parts = item.content if isinstance(item, Message) else ()
    return next(
        (one.audio for one in parts if isinstance(one, AudioPart) and one.transcript is None and one.audio), None
    )


def with_words(inputs: tuple[Item, ...] | None, item_id: str, text: str) -> tuple[Item, ...] | None:
    """The own context of a response once the words of one of its items are known."""
    if inputs is None:
        return None
    return tuple(
        transcribed(item, text) if isinstance(item, Message) and item.id == item_id else item for item in inputs
    )


def own_context(inputs: tuple[Item, ...], conversation: Conversation) -> tuple[Item, ...]:
    """The own context of a response as the model shall see it."""
    entries = [conversation.get(item.id) for item in inputs]
    seen = (Entry(item, heard=entry.heard if entry else None) for item, entry in zip(inputs, entries, strict=True))
    return paired(tuple(_visible(seen)))
