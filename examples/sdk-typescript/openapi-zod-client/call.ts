// Sets up a call with a client that openapi-zod-client generated. Zod checks each answer
// while the program runs. A refusal is thrown, and its problem has a type.

import { isErrorFromAlias } from '@zodios/core';
import { bearer, setUpACall } from '../polling.js';
import type { EventBatch } from '../polling.js';
import { createApiClient } from './generated/api.js';

// The server says better what is wrong with an event, so only answers are checked.
const api = createApiClient(process.argv[2] ?? 'http://localhost:3002', { validate: 'response' });

await setUpACall({
  async poll(after, token) {
    // Zod's types take a member that may be anything, such as data, for an optional one.
    return (await api.pollEvents({ queries: { after }, headers: bearer(token) })) as EventBatch;
  },

  async send(event, token) {
    try {
      await api.sendEvent(event, { headers: bearer(token) });
      return undefined;
    } catch (error) {
      if (isErrorFromAlias(api.api, 'sendEvent', error)) return error.response.data;
      throw error;
    }
  },

  room: (id) => api.getRoom({ params: { roomId: '-' }, queries: { id } }),
});
