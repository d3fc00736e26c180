// Sets up a call with types from openapi-typescript and requests by openapi-fetch. An answer
// has either data or an error.

import createClient from 'openapi-fetch';
import { bearer, setUpACall } from '../polling.js';
import type { paths } from './generated/schema.js';

const api = createClient<paths>({ baseUrl: process.argv[2] ?? 'http://localhost:3002' });

await setUpACall({
  async poll(after, token) {
    const { data, error } = await api.GET('/events/poll', { params: { query: { after } }, headers: bearer(token) });
    if (error) throw new Error(error.detail);
    return data;
  },

  async send(event, token) {
    const { error } = await api.POST('/events', { body: event, headers: bearer(token) });
    return error;
  },

  async room(id) {
    const { data, error } = await api.GET('/rooms/{roomId}', { params: { path: { roomId: '-' }, query: { id } } });
    if (error) throw new Error(error.detail);
    return data;
  },
});
