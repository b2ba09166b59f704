// @openai/agents-realtime with a hosted tool server: the SDK approves, asks for the follow-up by itself, keeps a history.
import { RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';
import { hostedMcpTool, setTracingDisabled } from '@openai/agents-core';
import { realtimeServerEventSchema } from '../../node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.mjs';
import { GIVEN, Mailbox, pause, tell } from '../common/report.mjs';

setTracingDisabled(true);
const tools = [hostedMcpTool({ serverLabel: 'tools', serverUrl: GIVEN.mcp, requireApproval: 'always' })];
const agent = new RealtimeAgent({ name: 'Voice', instructions: 'be brief', tools });
const session = new RealtimeSession(agent, { transport: 'websocket', model: 'gpt-realtime', tracingDisabled: true });
const box = new Mailbox();
const wrong = [];
const errors = [];
const completed = [];
let listed = [];
session.transport.on('*', (event) => {
  const parsed = realtimeServerEventSchema.safeParse(event);
  if (!parsed.success) wrong.push([JSON.stringify(event).slice(0, 600), parsed.error.message.slice(0, 600)]);
  box.put(event.type === 'error' ? { type: 'mistake' } : event);
});
session.on('error', (error) => errors.push(JSON.stringify(error).slice(0, 600)));
session.on('mcp_tools_changed', (found) => { listed = found.map((one) => one.name); });
session.on('tool_approval_requested', (_context, _agent, request) => session.approve(request.approvalItem));
session.on('mcp_tool_call_completed', (_context, _agent, call) => completed.push([call.name, call.output]));

await session.connect({ apiKey: GIVEN.key, url: `${GIVEN.ws}/v1/realtime?model=gpt-realtime` });
await box.until('mcp_list_tools.completed');
session.sendMessage('use get_weather for the city paris');
await box.until('response.done');
await box.until('response.mcp_call.completed');
await box.until('response.done');
await pause(300);
const words = session.history
  .filter((item) => item.type === 'message')
  .map((item) => [item.role, item.content.map((part) => part.text ?? part.transcript ?? '').join(' ')]);
tell({ listed, completed, words, wrong, errors });
session.close();
process.exit(0);
