// Sets up a call with a client that kubb generated. It does not throw if it is refused, and
// types each answer as a success: the status says which of the generated types is right.

import { bearer, setUpACall } from '../polling.js';
import { getRoom, pollEvents, sendEvent } from './generated/index.js';
import type { SendEventMutation } from './generated/index.js';

const baseURL = process.argv[2] ?? 'http://localhost:3002';

await setUpACall({
  async poll(after, token) {
    const { data } = await pollEvents({ after }, { baseURL, headers: bearer(token) });
    return data;
  },

  async send(event, token) {
    const headers = { ...bearer(token), 'Content-Type': 'application/json' }; // kubb sets no type
    const { status, data } = await sendEvent(event, undefined, { baseURL, headers });
    return status === 202 ? undefined : (data as SendEventMutation['Errors']);
  },

  async room(id) {
    const { data } = await getRoom('-', { id }, { baseURL });
    return data;
  },
});
