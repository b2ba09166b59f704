// The npm package openai's responses against the proxy: nothing but the URL and the key is ours.
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { GIVEN, tell } from '../common/report.mjs';

const client = new OpenAI({ baseURL: `${GIVEN.http}/v1`, apiKey: GIVEN.key, maxRetries: 0 });
const ask = { model: 'demo/fast', input: 'say hello world' };
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const tool = { type: 'function', name: 'get_weather', description: 'weather of a city', strict: true, parameters };

const plain = await client.responses.create(ask);
tell({ text: plain.output_text, attempts: plain.routing.attempts });

const kinds = [];
const runner = client.responses.stream(ask);
for await (const event of runner) kinds.push(event.type);
tell({ streamed: (await runner.finalResponse()).output_text, kinds });

const Person = z.object({ name: z.string(), age: z.number().int() });
const about = { ...ask, input: 'my name is Ann and my age is 41', text: { format: zodTextFormat(Person, 'person') } };
tell({ parsed: Person.safeParse((await client.responses.parse(about)).output_parsed).success });

const asked = [{ role: 'user', content: 'use get_weather for the city paris' }];
const called = await client.responses.stream({ ...ask, input: asked, tools: [tool] }).finalResponse();
const result = { type: 'function_call_output', call_id: called.output[0].call_id, output: 'sunny in paris' };
const told = await client.responses.create({ ...ask, input: [...asked, ...called.output, result], tools: [tool] });
tell({ tool: [called.output[0].name, called.output[0].arguments], told: told.output_text });
