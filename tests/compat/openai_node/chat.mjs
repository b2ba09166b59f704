// The npm package openai against the chat proxy: nothing but the URL and the key is ours.
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { GIVEN, tell } from '../common/report.mjs';

const base = { baseURL: `${GIVEN.http}/v1`, apiKey: GIVEN.key, maxRetries: 0 };
const client = new OpenAI(base);
const say = [{ role: 'user', content: 'say hello world' }];
const ask = { model: 'demo/fast', messages: say };
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
const tool = { type: 'function', function: { name: 'get_weather', description: 'weather of a city', strict: true, parameters } };

const models = [];
for await (const model of client.models.list()) models.push(model.id);
tell({ models, one_model: (await client.models.retrieve('demo/fast')).id });

const { data: answer, response } = await client.chat.completions.create(ask).withResponse();
tell({
  text: answer.choices[0].message.content,
  attempts: answer.metadata.attempts,
  request_id: answer._request_id === response.headers.get('x-request-id') && Boolean(answer._request_id),
});

async function streamed(more) {
  const chunks = [];
  for await (const chunk of await client.chat.completions.create({ ...ask, stream: true, ...more })) chunks.push(chunk);
  return chunks;
}
const words = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? '').join('');
const counted = await streamed({ stream_options: { include_usage: true } });
tell({ streamed: [words(counted), words(await streamed({}))], usage: counted.at(-1).usage.total_tokens });

const runner = client.chat.completions.stream(ask);
const kinds = new Set();
for (const kind of ['content', 'chunk', 'finalContent', 'finalChatCompletion']) runner.on(kind, () => kinds.add(kind));
tell({ stream_final: await runner.finalContent(), stream_kinds: [...kinds].sort() });

const Person = z.object({ name: z.string(), age: z.number().int() });
const about = [{ role: 'user', content: 'my name is Ann and my age is 41' }];
const parsed = await client.chat.completions.parse({ ...ask, messages: about, response_format: zodResponseFormat(Person, 'person') });
tell({ parsed: Person.safeParse(parsed.choices[0].message.parsed).success });

const called = await client.chat.completions.create({ ...ask, tools: [tool], tool_choice: 'required' });
const pieces = (await streamed({ tools: [tool], tool_choice: 'required' })).flatMap((c) => c.choices[0]?.delta?.tool_calls ?? []);
tell({
  tool: [called.choices[0].message.tool_calls[0].function.name, called.choices[0].message.tool_calls[0].function.arguments],
  streamed_tool: [pieces[0].function.name, pieces.map((piece) => piece.function?.arguments ?? '').join('')],
});
const run = client.chat.completions.runTools({
  model: 'demo/fast',
  messages: [{ role: 'user', content: 'use get_weather for the city paris' }],
  tools: [{ type: 'function', function: { ...tool.function, parse: JSON.parse, function: ({ city }) => `sunny in ${city}` } }],
});
tell({ run_tools: await run.finalContent() });

async function fault(call) {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.status ?? null, error.code ?? null, error.param ?? null];
  }
  return ['no error'];
}
const stranger = new OpenAI({ ...base, apiKey: 'wrong' });
const tight = new OpenAI({ ...base, apiKey: 'sk-tight' });
await fault(() => tight.chat.completions.create(ask));
tell({
  denied: await fault(() => stranger.models.list()),
  missing: await fault(() => client.chat.completions.create({ ...ask, model: 'nobody/knows' })),
  empty: await fault(() => client.chat.completions.create({ ...ask, messages: [] })),
  limited: await fault(() => tight.chat.completions.create(ask)),
  down: await fault(() => client.chat.completions.create({ ...ask, model: 'demo/down' })),
  cut: await fault(() => streamed({ model: 'demo/cut' })),
});

const patient = new OpenAI({ ...base, maxRetries: 2 });
await fault(() => client.chat.completions.create({ ...ask, model: 'mine/503@once' }));
tell({ retried: await fault(() => patient.chat.completions.create({ ...ask, model: 'mine/503@patient' })) });

const premium = { metadata: { tier: 'premium', language: 'es' } };
const routed = [];
for (const extra of [premium, { extra_body: premium }]) {
  const { response: told } = await client.chat.completions.create({ ...ask, model: 'router/support', ...extra }).withResponse();
  routed.push(told.headers.get('x-rr-route'));
}
tell({ routed });

const vectors = await client.embeddings.create({ model: 'demo/fast', input: ['one', 'two words'] });
const judged = await client.moderations.create({ model: 'demo/fast', input: 'I will kill you' });
tell({ embeddings: vectors.data.map((row) => row.embedding.length), flagged: judged.results[0].categories.violence });
tell({ late: await fault(() => client.chat.completions.create({ ...ask, model: 'demo/slow' }, { timeout: 300 })) });
const control = new AbortController();
setTimeout(() => control.abort(), 300);
const aborted = await fault(() => client.chat.completions.create({ ...ask, model: 'mine/slow-9@node' }, { signal: control.signal }));
tell({ aborted });
