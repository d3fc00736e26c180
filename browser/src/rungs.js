// The three ways to hear the server, best first. Each is called with the session
// ({ url, token, position }), a signal that ends it, and receive(event, position). Each
// resolves when the server has ended it, and rejects when something else has.

import { readEvents } from "./event-stream.js";
import { readProblem } from "./problem.js";

// The closed list of the contract: an EventSource hands named events to named listeners only.
const TYPES = [
  "connected", "room-joined", "room-left", "disconnected", "announcement",
  "user-connected", "user-disconnected", "user-away", "user-back",
  "offer", "answer", "ice-candidate", "signal",
  "new-message", "user-typing", "pong", "heartbeat", "server-shutdown",
];

const authorization = ({ token }) => token ? { Authorization: `Bearer ${token}` } : {};

async function ask(session, path, init, type) {
  const response = await fetch(session.url + path, { cache: "no-store", ...init });
  if (!response.ok) throw await readProblem(response);
  // A captive portal answers everything with 200.
  if (!response.headers.get("Content-Type")?.includes(type)) throw new Error("the answer is not the server's");
  return response;
}

// An EventSource can set no header, and would have to show the token in the address to
// go on with a session. A GET by fetch is the same to everyone on the way, and hides it.
export function byGet(session, signal, receive) {
  if (session.token || !globalThis.EventSource) return stream("GET", "events", session, signal, receive);
  return new Promise((resolve, reject) => {
    const source = new EventSource(session.url + "events");
    const end = () => {
      source.close();
      reject(new Error("the stream failed"));
    };
    for (const type of TYPES) {
      source.addEventListener(type, ({ data, lastEventId }) => receive(JSON.parse(data), lastEventId));
    }
    source.onerror = end;
    signal.addEventListener("abort", end);
  });
}

// Some proxies hold back what a GET brings until it ends, and not what a POST brings.
export const byPost = (...args) => stream("POST", "events/stream", ...args);

async function stream(method, path, session, signal, receive) {
  const headers = { Accept: "text/event-stream", ...authorization(session) };
  if (session.position) headers["Last-Event-ID"] = session.position;
  const response = await ask(session, path, { method, headers, signal }, "event-stream");
  for await (const { data, id } of readEvents(response)) {
    if (!signal.aborted) receive(data, id);
  }
}

// What the polls bring is the stream's; only the position is told once for all of them.
export async function byPoll(session, signal, receive, short) {
  const wait = short ? 0 : 10;
  for (;;) {
    const after = session.position?.split(".").pop() ?? 0;
    const headers = authorization(session);
    const response = await ask(session, `events/poll?wait=${wait}&after=${after}`, { headers, signal }, "json");
    const { events, lastEventId } = await response.json();
    if (signal.aborted) return;
    for (const event of events) receive(event);
    receive({ type: "heartbeat" }, lastEventId);
    if (!wait || signal.aborted) return;
  }
}
