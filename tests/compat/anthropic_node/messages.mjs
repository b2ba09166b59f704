// The npm package of Anthropic's API against the proxy: nothing but the URL and the key is ours.
import Anthropic from '@anthropic-ai/sdk';
import { GIVEN, tell } from '../common/report.mjs';

const client = new Anthropic({ baseURL: GIVEN.http, apiKey: GIVEN.key, maxRetries: 0 });
const ask = { model: 'demo/fast', max_tokens: 200, messages: [{ role: 'user', content: 'say hello world' }] };
const tool = { name: 'get_weather', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } };

const plain = await client.messages.create(ask);
tell({ text: plain.content[0].text, attempts: plain.metadata.attempts, request_id: Boolean(plain._request_id) });

const stream = client.messages.stream(ask);
const pieces = [];
stream.on('text', (piece) => pieces.push(piece));
const final = await stream.finalMessage();
tell({ streamed: [pieces.join(''), final.content[0].text], usage: final.usage.output_tokens });

const messages = [{ role: 'user', content: 'use get_weather for the city paris' }];
const called = await client.messages.stream({ ...ask, messages, tools: [tool] }).finalMessage();
const result = { type: 'tool_result', tool_use_id: called.content[0].id, content: 'sunny in paris' };
messages.push({ role: 'assistant', content: called.content }, { role: 'user', content: [result] });
const told = await client.messages.create({ ...ask, messages, tools: [tool] });
tell({ tool: [called.content[0].name, called.content[0].input.city], told: told.content[0].text });

async function fault(call) {
  try {
    await call();
  } catch (error) {
    return [error.constructor.name, error.status ?? null, error.error?.error?.type ?? null];
  }
  return ['no error'];
}
tell({
  empty: await fault(() => client.messages.create({ ...ask, messages: [] })),
  cut: await fault(() => client.messages.stream({ ...ask, model: 'mine/cut-4' }).finalMessage()),
});
