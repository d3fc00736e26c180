// The rungs: three ways to read the server's events. Each takes the session, a signal that stops
// the reading, and receive(event, position). It resolves if the server has ended a stream, or
// after one short poll. It rejects if the reading fails.

import { readEvents } from "./event-stream.js";
import { readProblem } from "./problem.js";

// The contract's closed list of events. An EventSource gives a named event only to listeners
// of that name.
const TYPES = [
  "connected", "room-joined", "room-left", "disconnected", "announcement",
  "user-connected", "user-disconnected", "user-away", "user-back",
  "offer", "answer", "ice-candidate", "signal",
  "new-message", "user-typing", "pong", "heartbeat", "server-shutdown",
];

const authorization = ({ token }) => token ? { Authorization: `Bearer ${token}` } : {};

// Asks the server with the session's token. Rejects with a Problem if the server refuses.
export async function ask(session, path, type, init) {
  const headers = { ...init.headers, ...authorization(session) };
  const response = await fetch(session.url + path, { cache: "no-store", ...init, headers });
  if (!response.ok) throw await readProblem(response);
  // A captive portal answers everything with 200.
  if (!response.headers.get("Content-Type")?.includes(type)) throw new Error("the answer is not the server's");
  return response;
}

// An EventSource cannot set headers: to resume, it would show the token in the address. So a
// resume uses fetch. Proxies see the same GET, and the token is in a header.
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

// Some proxies hold back the answer to a GET until it ends, but not the answer to a POST.
export const byPost = (...args) => stream("POST", "events/stream", ...args);

async function stream(method, path, session, signal, receive) {
  const headers = { Accept: "text/event-stream" };
  if (session.position) headers["Last-Event-ID"] = session.position;
  const response = await ask(session, path, "event-stream", { method, headers, signal });
  for await (const { data, id } of readEvents(response)) {
    if (!signal.aborted) receive(data, id);
  }
}

// A poll brings the same events as a stream, but one position for all of them.
export async function byPoll(session, signal, receive, short) {
  const wait = short ? 0 : 10;
  for (;;) {
    const after = session.position?.split(".").pop() ?? 0;
    const response = await ask(session, `events/poll?wait=${wait}&after=${after}`, "json", { signal });
    const { events, lastEventId } = await response.json();
    if (signal.aborted) return;
    for (const event of events) receive(event);
    receive({ type: "heartbeat" }, lastEventId);
    if (!wait || signal.aborted) return;
  }
}
