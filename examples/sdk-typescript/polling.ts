// Sets up a call between two sockets in one room, with whatever client was generated. Events
// come by long polling: each answer is JSON with types, and any generated client can read it.

import type { components } from './openapi-fetch/generated/schema.js';

type Schemas = components['schemas'];
export type EventBatch = Schemas['EventBatch'];
type ClientEvent = Schemas['ClientEvent'];
type ServerEvent = Schemas['ServerEvent'];
type Of<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;

// What a generated client does for us. Each of our programs makes an Api of its own client.
// So the compiler compares the types of that client with these.
export interface Api {
  // Without a token, it opens a socket.
  poll(after: number, token?: string): Promise<EventBatch>;
  // Resolves to the problem if the server refuses the event.
  send(event: ClientEvent, token: string): Promise<Schemas['Problem'] | undefined>;
  // Looks at a room, as operators do. The ID must be in the query: four of our clients do
  // not escape it in the path.
  room(id: string): Promise<Schemas['Room']>;
}

export const bearer = (token: string | undefined): Record<string, string> =>
  token ? { Authorization: `Bearer ${token}` } : {};

const isOf = <T extends ServerEvent['type']>(event: ServerEvent, type: T): event is Of<T> => event.type === type;

const sequence = (eventId: string) => Number(eventId.slice(eventId.lastIndexOf('.') + 1));

class Peer {
  private waiting: ServerEvent[] = [];

  private constructor(
    private readonly api: Api,
    readonly socketId: string,
    private readonly token: string,
    private after: number,
  ) {}

  static async open(api: Api): Promise<Peer> {
    const { events, lastEventId } = await api.poll(0);
    const [connected] = events;
    if (connected?.type !== 'connected') throw new Error('The server accepts no clients right now.');
    return new Peer(api, connected.socketId, connected.token, sequence(lastEventId));
  }

  refusalOf(event: ClientEvent) {
    return this.api.send(event, this.token);
  }

  async send(event: ClientEvent) {
    const problem = await this.refusalOf(event);
    if (problem) throw new Error(`${event.type} was refused: ${problem.detail}`);
  }

  // The next event of a type. Each poll asks for the events after the last poll, so no
  // event is lost, and none comes twice.
  async next<T extends ServerEvent['type']>(type: T): Promise<Of<T>> {
    for (let polls = 0; polls < 20; polls++) {
      for (let event = this.waiting.shift(); event; event = this.waiting.shift()) {
        if (isOf(event, type)) return event;
      }
      const { events, lastEventId } = await this.api.poll(this.after, this.token);
      this.after = sequence(lastEventId);
      this.waiting = events;
    }
    throw new Error(`No ${type} came.`);
  }
}

export async function setUpACall(api: Api) {
  const caller = await Peer.open(api);
  const callee = await Peer.open(api);
  const roomId = `example #${caller.socketId}`;

  await caller.send({ type: 'join-room', roomId, userId: 'caller' });
  await caller.next('room-joined');
  await callee.send({ type: 'join-room', roomId, userId: 'callee' });
  const { users } = await callee.next('room-joined');
  console.log(`In the room: ${users.map((user) => user.userId).join(', ')}`);

  const room = await api.room(roomId);
  if (room.roomId !== roomId) throw new Error(`This is another room: ${room.roomId}`);

  const { socketId: target } = await caller.next('user-connected');
  await caller.send({ type: 'offer', target, offer: { type: 'offer', sdp: 'v=0 (offer)' } });

  const offered = await callee.next('offer');
  console.log(`Offered: ${offered.offer.sdp}`);
  await callee.send({ type: 'answer', target: offered.from, answer: { type: 'answer', sdp: 'v=0 (answer)' } });

  const answered = await caller.next('answer');
  console.log(`Answered: ${answered.answer.sdp}`);

  // A refusal has a type too: a Problem, which says what is wrong with each field.
  const problem = await caller.refusalOf({ type: 'join-room', roomId: '', userId: 'caller' });
  console.log(`Refused: ${problem?.errors?.map((each) => `${each.field} ${each.message}`).join('; ')}`);

  await Promise.all([caller, callee].map((peer) => peer.send({ type: 'disconnect' })));
}
