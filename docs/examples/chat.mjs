// Chat with a router from Node, without any package: node chat.mjs "count to 3"
// With the openai package it is: new OpenAI({ baseURL: `${url}/v1`, apiKey: key })
const url = process.env.RR_URL ?? 'http://127.0.0.1:8080';
const key = process.env.RR_API_KEY ?? 'unused';

const answer = await fetch(`${url}/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
  body: JSON.stringify({
    model: 'router/demo',
    user: 'ann',
    stream: true,
    metadata: { tier: 'chaos' },
    messages: [{ role: 'user', content: process.argv[2] ?? 'count to 3' }],
  }),
});
if (!answer.ok) throw new Error((await answer.json()).error.message);

let rest = '';
let metadata = {};
for await (const piece of answer.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + piece).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
    const chunk = JSON.parse(line.slice(6));
    if (chunk.error) throw new Error(chunk.error.message);
    metadata = chunk.metadata ?? metadata;
    process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
  }
}
console.log();
for (const attempt of metadata.attempts) console.log(attempt.model, attempt.outcome, `${attempt.duration_ms} ms`);
