"""The openai package's `responses` against the proxy: nothing but the URL and the key is ours."""

import openai
from openai.types.responses import Response, ResponseStreamEvent
from report import tell
from shared import WEATHER, WRONG, Person, client, strictly

TOOL = {"type": "function", **WEATHER}


def create(c, **more):
    raw = c.responses.with_raw_response.create(**({"model": "demo/fast", "input": "say hello world"} | more))
    strictly(Response, raw.http_response.json())
    return raw.parse()


def stream(c, **more):
    events = list(c.responses.create(**({"model": "demo/fast", "input": "say hello world", "stream": True} | more)))
    for event in events:
        strictly(ResponseStreamEvent, event.model_dump(mode="python", exclude_unset=True, warnings=False))
    return events


def main():
    c = client()
    plain, events = create(c, metadata={"tier": "free"}), stream(c)
    tell(
        version=openai.__version__,
        text=plain.output_text,
        attempts=plain.model_extra["routing"]["attempts"],
        metadata=plain.metadata,
        streamed=events[-1].response.output_text,
        order=[event.type for event in events],
        numbers=[event.sequence_number for event in events] == list(range(len(events))),
    )
    asked = [{"role": "user", "content": "use get_weather for the city paris"}]
    called = create(c, input=asked, tools=[TOOL])
    result = {"type": "function_call_output", "call_id": called.output[0].call_id, "output": "sunny in paris"}
    told = create(c, input=[*asked, *[item.to_dict() for item in called.output], result], tools=[TOOL])
    with c.responses.stream(model="demo/fast", input=asked, tools=[TOOL]) as running:
        for _ in running:
            pass
        final = running.get_final_response()
    tell(
        tool=[called.output[0].name, called.output[0].arguments], told=told.output_text, final=final.output[0].arguments
    )
    parsed = c.responses.parse(model="demo/fast", input="my name is Ann and my age is 41", text_format=Person)
    tell(parsed=type(parsed.output_parsed).__name__)
    cut, rescued = stream(c, model="mine/cut-4"), create(c, model="mine/503@r", extra_body={"models": ["demo/fast"]})
    tell(cut=[cut[-1].type, cut[-1].response.error.code], rescued=rescued.output_text)
    try:
        create(c, previous_response_id="resp_1")
    except openai.BadRequestError as error:
        tell(refused=error.param)
    tell(wrong=WRONG)


main()
