// Sets up a call between two sockets in one room, with a client that hey-api generated.
// Events come by the stream, each with its type. Few generated clients can do that.

import { createClient } from './generated/client/index.js';
import { sendEvent, streamEvents } from './generated/index.js';
import type { ClientEvent, ServerEvent } from './generated/index.js';

type Of<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>;

const isOf = <T extends ServerEvent['type']>(event: ServerEvent, type: T): event is Of<T> => event.type === type;

class Peer {
  readonly stopping = new AbortController();
  private readonly events = this.listen();
  private token = '';
  private socket = '';

  constructor(private readonly baseUrl: string) {}

  get socketId() {
    return this.socket;
  }

  // If the generated stream is cut, it reconnects by itself, with the id of its last
  // event. If the server ends the stream, the loop ends, and we open the next stream
  // with that id.
  private async *listen(): AsyncGenerator<ServerEvent> {
    let lastEventId = '';
    while (!this.stopping.signal.aborted) {
      const { stream } = await streamEvents({
        client: createClient({ baseUrl: this.baseUrl }),
        signal: this.stopping.signal,
        ...(lastEventId && { headers: { 'Last-Event-ID': lastEventId } }),
        onSseEvent: ({ id }) => {
          lastEventId = id ?? lastEventId;
        },
      });
      for await (const event of stream) {
        if (event.type === 'connected') {
          this.token = event.token;
          this.socket = event.socketId;
        }
        yield event;
      }
    }
  }

  async next<T extends ServerEvent['type']>(type: T): Promise<Of<T>> {
    for (;;) {
      const { value: event, done } = await this.events.next();
      if (done) throw new Error(`The stream has ended, and no ${type} came.`);
      if (isOf(event, type)) return event;
    }
  }

  // A refusal has a type too: a Problem, which says what is wrong with each field.
  async send(event: ClientEvent) {
    const { error } = await sendEvent({ client: createClient({ baseUrl: this.baseUrl }), auth: this.token, body: event });
    return error;
  }
}

const url = process.argv[2] ?? 'http://localhost:3002';
const caller = new Peer(url);
const callee = new Peer(url);
await Promise.all([caller.next('connected'), callee.next('connected')]);
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

await Promise.all(
  [caller, callee].map(async (peer) => {
    await peer.send({ type: 'disconnect' });
    peer.stopping.abort();
  }),
);
