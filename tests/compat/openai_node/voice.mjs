// The npm package openai against the voice sessions: OpenAIRealtimeWS (headers) or OpenAIRealtimeWebSocket (subprotocols).
import OpenAI from 'openai';
import { OpenAIRealtimeWebSocket } from 'openai/realtime/websocket';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import WebSocket from 'ws';
import { GIVEN, Mailbox, bytes, joined, named, pause, spoken, tell } from '../common/report.mjs';

globalThis.WebSocket ??= WebSocket; // node 20 has none of its own
const client = new OpenAI({ baseURL: `${GIVEN.http}/v1`, apiKey: GIVEN.key });
const secret = await client.realtime.clientSecrets.create({ session: { type: 'realtime', model: 'gpt-realtime' } });
tell({ secret: [secret.value.slice(0, 3), secret.session.type, secret.session.model] });

const plain = GIVEN.shape === 'ws';
const browser = new OpenAI({ baseURL: `${GIVEN.http}/v1`, apiKey: secret.value, dangerouslyAllowBrowser: true });
const rt = plain
  ? new OpenAIRealtimeWS({ model: 'gpt-realtime' }, client)
  : new OpenAIRealtimeWebSocket({ model: 'gpt-realtime' }, browser);
const box = new Mailbox();
const errors = [];
rt.on('event', (event) => box.put(event));
rt.on('error', (error) => errors.push([error.constructor.name, error.error?.code]));
const say = (text) => {
  rt.send({ type: 'conversation.item.create', item: { type: 'message', role: 'user', content: [{ type: 'input_text', text }] } });
};
const speak = async (name) => {
  for (const audio of spoken(name)) {
    rt.send({ type: 'input_audio_buffer.append', audio });
    await pause(10);
  }
};

const created = (await box.until('session.created')).at(-1).session;
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const update = async (modality, tools) => {
  const turn_detection = { type: 'server_vad', silence_duration_ms: 400, interrupt_response: true };
  const audio = { input: { turn_detection, transcription: { model: 'gpt-4o-transcribe' } }, output: { voice: 'marin' } };
  rt.send({ type: 'session.update', session: { type: 'realtime', output_modalities: [modality], audio, tools } });
  return (await box.until('session.updated')).at(-1).session;
};
const updated = await update('text', [{ type: 'function', name: 'get_weather', description: 'weather', parameters }]);
tell({ model: created.model, tools: updated.tools.map((tool) => tool.name), voice: updated.audio.output.voice });

say('say hello world');
rt.send({ type: 'response.create' });
let events = await box.until('response.done');
tell({ text: joined(events, 'response.output_text.delta'), text_status: events.at(-1).response.status });

say('what is the weather in paris');
rt.send({ type: 'response.create', response: { tool_choice: 'required' } });
events = await box.until('response.done');
const call = named(events, 'response.output_item.done')[0].item;
rt.send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: call.call_id, output: 'sunny' } });
rt.send({ type: 'response.create' });
events = await box.until('response.done');
tell({ tool: [call.name, call.arguments], tool_told: joined(events, 'response.output_text.delta') });

rt.send({ type: 'nonsense.event', event_id: 'evt_mine' });
const error = (await box.until('error', { errors: true })).at(-1).error;
tell({ error: [error.code, error.event_id], emitted: errors });

await update('audio', []);
await speak('question');
events = await box.until('response.done');
tell({
  heard: named(events, 'conversation.item.input_audio_transcription.completed').map((event) => event.transcript),
  sound_bytes: bytes(events, 'response.output_audio.delta'),
  spoken: joined(events, 'response.output_audio_transcript.delta'),
});

say('count to sixty');
rt.send({ type: 'response.create' });
const first = (await box.until('response.output_audio.delta')).at(-1);
await speak('stop');
const { response } = (await box.until('response.done')).at(-1);
rt.send({ type: 'conversation.item.truncate', item_id: first.item_id, content_index: 0, audio_end_ms: 50 });
await box.until('conversation.item.truncated');
tell({ interrupted: [response.id === first.response_id, response.status, response.status_details.reason] });
rt.close({ code: 1000, reason: 'done' });
process.exit(0);
