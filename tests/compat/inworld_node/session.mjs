// A client as Inworld's migration guide writes it for node: ws, a Basic key, `key` and `protocol` in the URL.
import WebSocket from 'ws';
import { GIVEN, Mailbox, bytes, joined, named, pause, spoken, tell } from '../common/report.mjs';

const url = `${GIVEN.ws}/api/v1/realtime/session?key=voice-${Date.now()}&protocol=realtime`;
const basic = Buffer.from(`compat:${GIVEN.key}`).toString('base64');
const open = (key) => new WebSocket(url, { headers: { Authorization: `Basic ${key}` } });

const socket = open(basic);
const box = new Mailbox();
socket.on('message', (data, binary) => {
  if (!binary) box.put(JSON.parse(data.toString()));
});
const send = (event) => socket.send(JSON.stringify(event));
const say = (text) => {
  const item = { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
  send({ type: 'conversation.item.create', item });
  send({ type: 'response.create' });
};
const speak = async (name) => {
  for (const audio of spoken(name, 1500)) {
    send({ type: 'input_audio_buffer.append', audio });
    await pause(10);
  }
};

await box.until('session.created');
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
send({
  type: 'session.update',
  session: {
    type: 'realtime',
    modelId: 'inworld/demo',
    instructions: 'Be brief.',
    output_modalities: ['audio', 'text'],
    audio: {
      input: { format: 'pcm16', turn_detection: { type: 'semantic_vad', eagerness: 'high', create_response: true, interrupt_response: true } },
      output: { format: 'pcm16', model: 'inworld-tts-2', voice: 'Clive' },
    },
    tools: [{ type: 'function', name: 'get_weather', parameters }],
    providerData: { user_id: 'u-7', metadata: { tier: 'gold' } },
  },
});
const updated = (await box.until('session.updated')).at(-1).session;
tell({ session: true, model: updated.model, modalities: updated.output_modalities });
tell({ voice: updated.audio.output.voice, provider: updated.providerData });

say('say hello world');
let events = await box.until('response.done');
const done = events.at(-1);
tell({
  words: joined(events, 'response.output_audio_transcript.delta'),
  text: joined(events, 'response.output_text.delta'),
  bytes: bytes(events, 'response.output_audio.delta'),
  parts: [...new Set(done.response.output.flatMap((item) => item.content.map((part) => part.type)))].sort(),
  attempts: done.response.metadata.attempts,
  usage_twice: JSON.stringify(done.usage) === JSON.stringify(done.response.usage),
});

say('what is the weather in paris, use get_weather');
events = await box.until('response.done');
const call = named(events, 'response.output_item.done').find((event) => event.item.type === 'function_call').item;
send({ type: 'conversation.item.create', item: { type: 'function_call_output', call_id: call.call_id, output: 'sunny' } });
events = await box.until('response.done');
tell({ tool: [call.name, call.arguments], told: joined(events, 'response.output_audio_transcript.delta') });

await speak('question');
events = await box.until('response.done');
const heard = events.filter((event) => event.type.endsWith('input_audio_transcription.completed'));
tell({
  heard: heard.map((event) => event.transcript),
  spoken: joined(events, 'response.output_audio_transcript.delta'),
  spoken_bytes: bytes(events, 'response.output_audio.delta'),
});
say('count to sixty');
await box.until('response.output_audio.delta');
await speak('stop');
events = await box.until('response.done');
send({ type: 'response.cancel' });
tell({ interrupted: events.at(-1).response.status, speech: events.map((e) => e.type).filter((type) => type.includes('speech')) });

send({ type: 'nonsense', event_id: 'mine' });
let error;
do error = (await box.until('error', { errors: true })).at(-1).error;
while (error.code === 'response_cancel_not_active');
tell({ error: error.code, seen: [...box.seen].sort() });
socket.close();

const stranger = open('d3Jvbmc6a2V5');
stranger.on('error', () => {});
const refused = await new Promise((told) => stranger.on('unexpected-response', (_, answer) => told(answer.statusCode)));
tell({ refused });
process.exit(0);
