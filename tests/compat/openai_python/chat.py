"""The openai package against the chat proxy: nothing but the URL and the key is ours."""

import asyncio
import time
from typing import Any

import openai
from openai.types import CreateEmbeddingResponse, Model, ModerationCreateResponse
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from report import GIVEN, tell
from shared import BASE, WEATHER, WRONG, Person, client, strictly

SAY: Any = [{"role": "user", "content": "say hello world"}]
TOOL: Any = {"type": "function", "function": WEATHER}


def bare(document):
    """Without `metadata`: it holds the attempts, not strings, by design."""
    return {name: value for name, value in document.items() if name != "metadata"}


def create(c, **more):
    """A call; its body is held against the type, its parsed form returned."""
    raw = c.chat.completions.with_raw_response.create(**({"model": "demo/fast", "messages": SAY} | more))
    strictly(ChatCompletion, bare(raw.http_response.json()))
    return raw, raw.parse()


def stream(c, **more):
    """All chunks, each held against the type."""
    chunks = list(c.chat.completions.create(**({"model": "demo/fast", "messages": SAY, "stream": True} | more)))
    for chunk in chunks:
        strictly(
            ChatCompletionChunk,
            chunk.model_dump(mode="python", exclude_unset=True, exclude={"metadata"}, warnings=False),
        )
    return chunks


def text(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def models(c):
    raw = c.models.with_raw_response.list()
    listed = raw.http_response.json()
    for one in listed["data"]:
        strictly(Model, one)
    tell(models=[one.id for one in raw.parse()], one_model=c.models.retrieve("demo/fast").id)
    tell(model_object=listed["object"])


def plain(c):
    raw, answer = create(c)
    attempts = answer.model_extra.get("metadata") or answer.metadata
    tell(
        text=answer.choices[0].message.content,
        finish=answer.choices[0].finish_reason,
        tokens=answer.usage.total_tokens,
        attempts=attempts["attempts"],
        request_id=raw.headers["x-request-id"],
        summary=raw.headers.get("x-rr-attempts"),
        own_request_id=answer._request_id,
    )


def streamed(c):
    with_usage = stream(c, stream_options={"include_usage": True})
    without = stream(c)
    tell(
        streamed=[text(with_usage), text(without)],
        stream_ids=len({chunk.id for chunk in with_usage}),
        usage=with_usage[-1].usage.total_tokens,
        usage_choices=with_usage[-1].choices,
        earlier_usage=[chunk.usage for chunk in with_usage[:-1] if chunk.usage],
        unasked_usage=[chunk.usage.total_tokens for chunk in without if chunk.usage],
        first_role=with_usage[0].choices[0].delta.role,
        finishes=[ch.choices[0].finish_reason for ch in with_usage if ch.choices and ch.choices[0].finish_reason],
        last_attempts=[(chunk.model_extra or {}).get("metadata") for chunk in (with_usage[-1], without[-1])],
    )


def chat_of(c):
    """Where the stream and parse conveniences live in this version."""
    return c.chat.completions if hasattr(c.chat.completions, "parse") else c.beta.chat.completions


def conveniences(c):
    with chat_of(c).stream(model="demo/fast", messages=SAY) as events:
        kinds = [event.type for event in events]
        final = events.get_final_completion()
    tell(stream_kinds=sorted(set(kinds)), stream_final=final.choices[0].message.content)
    ask: Any = [{"role": "user", "content": "my name is Ann and my age is 41"}]
    parsed = chat_of(c).parse(model="demo/fast", messages=ask, response_format=Person)
    tell(parsed=type(parsed.choices[0].message.parsed).__name__)
    with chat_of(c).stream(model="demo/fast", messages=ask, response_format=Person) as events:
        kinds = {event.type for event in events}
        final = events.get_final_completion()
    tell(parsed_stream=type(final.choices[0].message.parsed).__name__, parsed_kinds=sorted(kinds))


def tools(c):
    _, answer = create(c, tools=[TOOL], tool_choice="required")
    call = answer.choices[0].message.tool_calls[0]
    chunks = stream(c, tools=[TOOL], tool_choice="required")
    pieces = [ch.choices[0].delta.tool_calls[0] for ch in chunks if ch.choices and ch.choices[0].delta.tool_calls]
    history: Any = [*SAY, answer.choices[0].message.model_dump(exclude_none=True, exclude={"metadata"})]
    history.append({"role": "tool", "tool_call_id": call.id, "content": "sunny"})
    _, told = create(c, messages=history, tools=[TOOL])
    tell(
        tool=[call.function.name, call.type, call.function.arguments, answer.choices[0].finish_reason],
        streamed_tool=[pieces[0].function.name, pieces[0].id, "".join(p.function.arguments or "" for p in pieces)],
        tool_told=told.choices[0].message.content,
    )
    with chat_of(c).stream(model="demo/fast", messages=SAY, tools=[TOOL], tool_choice="required") as events:
        done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    tell(tool_event=[done[0].name, done[0].parsed_arguments])


def error(call):
    """The exception of a call, as facts."""
    try:
        call()
    except openai.APIError as fault:
        status = getattr(fault, "status_code", None)
        return [type(fault).__name__, status, fault.code, fault.param, bool(getattr(fault, "request_id", None))]
    return ["no error"]


def errors(c):
    tight = client(api_key="sk-tight")
    ask = {"model": "demo/fast", "messages": SAY}
    error(lambda: tight.chat.completions.create(**ask))  # one request a minute: the next is too many
    tell(
        denied=error(client(api_key="wrong").models.list),
        missing=error(lambda: c.chat.completions.create(model="nobody/knows", messages=SAY)),
        missing_model=error(lambda: c.models.retrieve("nobody/knows")),
        empty=error(lambda: c.chat.completions.create(model="demo/fast", messages=[])),
        limited=error(lambda: tight.chat.completions.create(**ask)),
        down=error(lambda: c.chat.completions.create(model="demo/down", messages=SAY)),
        upstream_429=error(lambda: c.chat.completions.create(model="mine/429", messages=SAY)),
        cut=error(lambda: list(c.chat.completions.create(model="demo/cut", messages=SAY, stream=True))),
        stream_down=error(lambda: c.chat.completions.create(model="demo/down", messages=SAY, stream=True)),
    )


def retries():
    """With the SDK's two retries on: the upstream's log, read by the test, says how often it was called."""
    c = client(max_retries=2)
    try:
        c.chat.completions.create(model=f"mine/503@retry-{openai.__version__}", messages=SAY)
    except openai.InternalServerError as fault:
        tell(retried=fault.response.json()["metadata"]["attempts"])
    answer = c.chat.completions.create(model="mine/502-once", messages=SAY)
    tell(recovered=answer.choices[0].message.content[:16])


def routing(c):
    premium = {"metadata": {"tier": "premium", "language": "es"}}
    dead = f"mine/503@{openai.__version__}"  # a name of its own: a target rests after five failures
    fallback = {"models": [dead, "demo/fast"]}
    told = []
    for extra in (premium, {"extra_body": premium}):
        raw, _ = create(c, model="router/support", extra_body=extra)
        told.append(raw.headers["x-rr-route"])
    for extra in (fallback, {"extra_body": fallback}):
        _, answer = create(c, model=dead, extra_body=extra)
        metadata = (answer.model_extra or {}).get("metadata") or answer.metadata
        told.append([one["success"] for one in metadata["attempts"]])
    create(c, model="mine/echo", extra_body={"odd_field": 7, "models": ["mine/echo"]}, user="ann", seed=4)
    tell(routed=told)


def others(c):
    raw = c.embeddings.with_raw_response.create(model="demo/fast", input=["one", "two words"], encoding_format="float")
    strictly(CreateEmbeddingResponse, raw.http_response.json())
    plain_vector = c.embeddings.create(model="demo/fast", input="one").data[0].embedding
    raw_moderation = c.moderations.with_raw_response.create(model="demo/fast", input="I will kill you")
    strictly(ModerationCreateResponse, raw_moderation.http_response.json())
    moderation = raw_moderation.parse()
    tell(
        embeddings=[len(one.embedding) for one in raw.parse().data],
        default_embedding=len(plain_vector),
        same_vector=max(abs(a - b) for a, b in zip(plain_vector, raw.parse().data[0].embedding, strict=True)),
        flagged=[moderation.results[0].flagged, moderation.results[0].categories.violence],
    )


def impatience():
    started = time.monotonic()
    try:
        client(timeout=0.3).chat.completions.create(model="demo/slow", messages=SAY)
    except openai.APITimeoutError as late:
        tell(timeout=type(late).__name__, timeout_s=time.monotonic() - started)


async def asynchronous():
    async with openai.AsyncOpenAI(base_url=BASE, api_key=GIVEN["key"], max_retries=0) as c:
        answers = await asyncio.gather(
            *(c.chat.completions.create(model="demo/fast", messages=SAY, user=f"u{n}") for n in range(10))
        )
        opened = await c.chat.completions.create(model="demo/fast", messages=SAY, stream=True)
        words = [chunk.choices[0].delta.content or "" async for chunk in opened if chunk.choices]
        left = await c.chat.completions.create(model="mine/slow-stream", messages=SAY, stream=True)
        async for _ in left:
            break
        await left.close()
        task = asyncio.create_task(c.chat.completions.create(model="mine/slow-9", messages=SAY))
        await asyncio.sleep(0.3)
        task.cancel()
        cancelled = (await asyncio.gather(task, return_exceptions=True))[0]
        tell(
            many=[answer.choices[0].message.content for answer in answers],
            async_stream="".join(words),
            cancelled=type(cancelled).__name__,
        )


def main():
    tell(version=openai.__version__)
    with client() as c:
        for scene in (models, plain, streamed, conveniences, tools, errors, routing, others):
            scene(c)
    retries()
    impatience()
    asyncio.run(asynchronous())
    tell(wrong=WRONG)


main()
