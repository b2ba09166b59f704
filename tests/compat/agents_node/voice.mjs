// @openai/agents-realtime: its own defaults, tools run by the SDK; every event is also held against its zod schemas.
import { RealtimeAgent, RealtimeSession, tool } from '@openai/agents-realtime';
import { setTracingDisabled } from '@openai/agents-core';
import { z } from 'zod';
import { realtimeServerEventSchema } from '../../node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.mjs';
import { GIVEN, Mailbox, pause, spoken, tell } from '../common/report.mjs';

setTracingDisabled(true);
const get_weather = tool({
  name: 'get_weather',
  description: 'The weather of a city.',
  parameters: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});
const agent = new RealtimeAgent({ name: 'Voice', instructions: 'be brief', tools: [get_weather] });
const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime', tracingDisabled: true });
const box = new Mailbox();
const wrong = [];
const errors = [];
const ends = [];
let sound = 0;
session.transport.on('*', (event) => {
  const parsed = realtimeServerEventSchema.safeParse(event);
  if (!parsed.success) wrong.push([JSON.stringify(event).slice(0, 600), parsed.error.message.slice(0, 600)]);
  box.put(event.type === 'error' ? { type: 'mistake' } : event);
});
session.on('error', (error) => errors.push(JSON.stringify(error).slice(0, 600)));
session.on('audio', (event) => { sound += event.data.byteLength; });
session.on('agent_tool_end', (_context, _agent, called, result) => ends.push([called.name, result]));
let interruptions = 0;
session.on('audio_interrupted', () => { interruptions += 1; });

const speak = async (name, silence_ms) => {
  for (const chunk of spoken(name, silence_ms)) {
    const { buffer, byteOffset, byteLength } = Buffer.from(chunk, 'base64');
    session.sendAudio(buffer.slice(byteOffset, byteOffset + byteLength));
    await pause(5);
  }
};
const words = () =>
  session.history
    .filter((item) => item.type === 'message')
    .map((item) => [item.role, item.content.map((part) => part.text ?? part.transcript ?? '').join(' ')]);

await session.connect({ apiKey: GIVEN.key, url: `${GIVEN.ws}/v1/realtime?model=gpt-realtime` });
await box.until('session.updated');
session.sendMessage('say hello world');
await box.until('response.done');
await pause(200);
tell({ sound_bytes: sound, first_history: words() });

session.sendMessage('use get_weather for the city paris');
await box.until('response.done');
await box.until('response.done');
tell({ tool: ends[0] });

await speak('question', 5000);
await box.until('response.done');
await pause(500);
tell({ history: words() });

session.sendMessage('count to sixty');
await box.until('response.output_audio.delta');
await speak('stop', 100);
const { response } = (await box.until('response.done')).at(-1);
await box.until('conversation.item.truncated');
tell({ interrupted: [response.status, response.status_details.reason], interruptions: interruptions > 0 });
await pause(300);
tell({ wrong, errors, seen: [...box.seen].sort() });
session.close();
process.exit(0);
