// Sets up a call with a client that swagger-typescript-api generated. The problem of a
// refusal is the answer's error.

import { bearer, setUpACall } from '../polling.js';
import { Api } from './generated/api.js';

const { events, monitoring } = new Api({ baseUrl: process.argv[2] ?? 'http://localhost:3002' });

await setUpACall({
  async poll(after, token) {
    const { ok, data, error } = await events.pollEvents({ after }, { headers: bearer(token) });
    if (!ok) throw new Error(error.detail);
    return data;
  },

  async send(event, token) {
    const { ok, error } = await events.sendEvent(event, { headers: bearer(token) });
    return ok ? undefined : error;
  },

  async room(id) {
    const { ok, data, error } = await monitoring.getRoom('-', { id });
    if (!ok) throw new Error(error.detail);
    return data;
  },
});
