"""The anthropic package against the proxy: nothing but the URL and the key is ours."""

import anthropic
from anthropic.types import Message
from pydantic import TypeAdapter, ValidationError
from report import GIVEN, tell

SAY = [{"role": "user", "content": "say hello world"}]
ASK = {"model": "demo/fast", "max_tokens": 200, "messages": SAY}
TOOL = {
    "name": "get_weather",
    "description": "weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def create(c, **more):
    """A message; what the SDK's own type says against it is told."""
    raw = c.messages.with_raw_response.create(**(ASK | more))
    try:
        TypeAdapter(Message).validate_python(raw.http_response.json(), strict=True)
    except ValidationError as error:
        tell(wrong=str(error))
    return raw.parse()


def error(call):
    try:
        call()
    except anthropic.APIStatusError as fault:
        return [type(fault).__name__, fault.body["error"]["type"], bool(fault.request_id)]
    return ["no error"]


def main():
    c = anthropic.Anthropic(base_url=GIVEN["http"], api_key=GIVEN["key"], max_retries=0)
    plain = create(c)
    with c.messages.stream(**ASK) as running:
        pieces = list(running.text_stream)
        final = running.get_final_message()
    tell(
        version=anthropic.__version__,
        text=plain.content[0].text,
        stop=plain.stop_reason,
        attempts=plain.model_extra["metadata"]["attempts"],
        streamed=["".join(pieces), final.content[0].text],
        usage=[final.usage.input_tokens, final.usage.output_tokens],
        counted=c.messages.count_tokens(model="demo/fast", messages=SAY).input_tokens,
    )
    asked = [{"role": "user", "content": "use get_weather for the city paris"}]
    with c.messages.stream(**(ASK | {"messages": asked, "tools": [TOOL]})) as running:
        called = running.get_final_message()
    history = [*asked, {"role": "assistant", "content": [block.to_dict() for block in called.content]}]
    result = {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "sunny in paris"}
    told = create(c, messages=[*history, {"role": "user", "content": [result]}], tools=[TOOL])
    tell(tool=[called.stop_reason, called.content[0].name, called.content[0].input], told=told.content[0].text)
    extra = {"models": ["demo/fast"], "metadata": {"tier": "premium"}}
    rescued = create(c, model="mine/503@m", extra_body=extra)
    tell(rescued=[one["success"] for one in rescued.model_extra["metadata"]["attempts"]])
    stranger = anthropic.Anthropic(base_url=GIVEN["http"], api_key="wrong", max_retries=0)

    def cut():
        with c.messages.stream(**(ASK | {"model": "mine/cut-4"})) as running:
            running.until_done()

    tell(
        denied=error(lambda: create(stranger)),
        missing=error(lambda: create(c, model="nobody/knows")),
        empty=error(lambda: create(c, messages=[])),
        down=error(lambda: create(c, model="demo/down")),
        cut=error(cut),
    )


main()
