"""openai-agents with its default model, which speaks Responses: tools, structured output, streams, a hand-over."""

import asyncio

from agents import Agent, ModelSettings, Runner, function_tool, set_default_openai_client
from openai import AsyncOpenAI
from pydantic import BaseModel
from report import GIVEN, tell

FAST = "openai/demo/fast"  # the SDK takes the first word for its own: which API to speak


class Person(BaseModel):
    """What structured output is to look like."""

    name: str
    age: int


@function_tool
def get_weather(city: str) -> str:
    """Weather of a city.

    Args:
        city: the city
    """
    return f"sunny in {city}"


async def streamed(agent, said):
    run = Runner.run_streamed(agent, said)
    kinds, text = [], ""
    async for event in run.stream_events():
        if event.type == "raw_response_event":
            text += event.data.delta if event.data.type == "response.output_text.delta" else ""
        else:
            kinds.append(event.item.type if event.type == "run_item_stream_event" else event.type)
    return kinds, text, run.final_output


async def main():
    set_default_openai_client(AsyncOpenAI(base_url=f"{GIVEN['http']}/v1", api_key=GIVEN["key"]), use_for_tracing=False)
    plain = Agent(name="plain", instructions="be brief", model=FAST)
    first = await Runner.run(plain, "say hello world")
    again = await Runner.run(plain, [*first.to_input_list(), {"role": "user", "content": "my name is Ann"}])
    asked = [*again.to_input_list(), {"role": "user", "content": "what is my name?"}]
    tell(
        text=first.final_output,
        tokens=first.context_wrapper.usage.total_tokens,
        remembered=(await Runner.run(plain, asked)).final_output,
    )
    tooled = Agent(name="tooled", model=FAST, tools=[get_weather])
    tell(tool=(await Runner.run(tooled, "use get_weather for the city paris")).final_output)
    tell(streamed_tool=await streamed(tooled, "use get_weather for the city paris"))
    tell(streamed=await streamed(plain, "say hello world"))
    typed = Agent(name="typed", model=FAST, output_type=Person)
    tell(parsed=type((await Runner.run(typed, "my name is Ann and my age is 41")).final_output).__name__)
    lead = Agent(name="lead", model=FAST, handoffs=[plain])
    handed = await Runner.run(lead, "transfer to plain")
    tell(handed=[handed.last_agent.name, handed.final_output])
    fallback = ModelSettings(extra_body={"models": ["demo/fast"]})
    rescued = Agent(name="rescued", model="openai/demo/down", model_settings=fallback)
    tell(rescued=(await Runner.run(rescued, "say it works")).final_output)


asyncio.run(main())
