// Sets up a call between two sockets in one room, with types from openapi-typescript and
// requests by openapi-fetch. Events come by long polling: each answer is JSON with types.
// Any generated client can do that.

import createClient from 'openapi-fetch';
import type { components, paths } from './generated/schema.js';

type ClientEvent = components['schemas']['ClientEvent'];
type ServerEvent = components['schemas']['ServerEvent'];
type Of<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;

const isOf = <T extends ServerEvent['type']>(event: ServerEvent, type: T): event is Of<T> => event.type === type;

class Peer {
  private waiting: ServerEvent[] = [];

  private constructor(
    private readonly api: ReturnType<typeof createClient<paths>>,
    readonly socketId: string,
    private readonly token: string,
    private after: number,
  ) {}

  // A poll without a token opens a socket.
  static async open(baseUrl: string): Promise<Peer> {
    const api = createClient<paths>({ baseUrl });
    const { data, error } = await api.GET('/events/poll');
    if (error) throw new Error(error.detail);
    const [connected] = data.events;
    if (connected?.type !== 'connected') throw new Error('The server accepts no clients right now.');
    return new Peer(api, connected.socketId, connected.token, sequence(data.lastEventId));
  }

  // A refusal has a type too: a Problem, which says what is wrong with each field.
  async send(event: ClientEvent) {
    const { error } = await this.api.POST('/events', { body: event, headers: this.headers() });
    return error;
  }

  // The next event of a type. Each poll asks for the events after the last poll, so no
  // event is lost, and none comes twice.
  async next<T extends ServerEvent['type']>(type: T): Promise<Of<T>> {
    for (let polls = 0; polls < 20; polls++) {
      for (let event = this.waiting.shift(); event; event = this.waiting.shift()) {
        if (isOf(event, type)) return event;
      }
      const { data, error } = await this.api.GET('/events/poll', {
        params: { query: { after: this.after, wait: 25 } },
        headers: this.headers(),
      });
      if (error) throw new Error(error.detail);
      this.after = sequence(data.lastEventId);
      this.waiting = data.events;
    }
    throw new Error(`No ${type} came.`);
  }

  private headers() {
    return { Authorization: `Bearer ${this.token}` };
  }
}

const sequence = (eventId: string) => Number(eventId.slice(eventId.lastIndexOf('.') + 1));

const url = process.argv[2] ?? 'http://localhost:3002';
const caller = await Peer.open(url);
const callee = await Peer.open(url);
const roomId = `example-${caller.socketId}`;

await caller.send({ type: 'join-room', roomId, userId: 'caller' });
await caller.next('room-joined');
await callee.send({ type: 'join-room', roomId, userId: 'callee' });
const { users } = await callee.next('room-joined');
console.log(`In the room: ${users.map((user) => user.userId).join(', ')}`);

const { socketId: target } = await caller.next('user-connected');
await caller.send({ type: 'offer', target, offer: { type: 'offer', sdp: 'v=0 (offer)' } });

const offered = await callee.next('offer');
console.log(`Offered: ${offered.offer.sdp}`);
await callee.send({ type: 'answer', target: offered.from, answer: { type: 'answer', sdp: 'v=0 (answer)' } });

const answered = await caller.next('answer');
console.log(`Answered: ${answered.answer.sdp}`);

const problem = await caller.send({ type: 'join-room', roomId: '', userId: 'caller' });
console.log(`Refused: ${problem?.errors?.map((each) => `${each.field} ${each.message}`).join('; ')}`);

await Promise.all([caller, callee].map((peer) => peer.send({ type: 'disconnect' })));
