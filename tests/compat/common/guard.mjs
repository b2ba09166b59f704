// Loaded by every node driver before anything else: a library that dials out of this machine fails loudly.
import net from 'node:net';

const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function guarded(...given) {
  const first = Array.isArray(given[0]) ? given[0][0] : given[0];
  const host = typeof first === 'object' && first ? first.host : typeof given[1] === 'string' ? given[1] : undefined;
  if (host && !/^(127\.|::1$|localhost$)/.test(host)) {
    console.error(`dials out: ${host}`);
    throw new Error(`drivers stay on this machine; ${host} is not on it`);
  }
  return connect.apply(this, given);
};
