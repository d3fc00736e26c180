// Sets up a call with a client that orval generated. An answer is typed by its status.

import { bearer, setUpACall } from '../polling.js';
import { getRoom, pollEvents, sendEvent } from './generated/api.js';

// This client asks the server of its page. Node has no page, so we say which server it is.
const url = process.argv[2] ?? 'http://localhost:3002';
const ask = globalThis.fetch;
globalThis.fetch = (path, init) => ask(new URL(String(path), url), init);

await setUpACall({
  async poll(after, token) {
    const { status, data } = await pollEvents({ after }, { headers: bearer(token) });
    if (status !== 200) throw new Error(data.detail);
    return data;
  },

  async send(event, token) {
    const { status, data } = await sendEvent(event, { headers: bearer(token) });
    return status === 202 ? undefined : data;
  },

  async room(id) {
    const { status, data } = await getRoom('-', { id });
    if (status !== 200) throw new Error(data.detail);
    return data;
  },
});
