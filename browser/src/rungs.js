// The rungs: three ways to read the server's events. Each takes the session, a signal that stops
// the reading, and receive(event, position). It resolves if the server has ended a stream, or
// after one poll. It rejects if the reading fails.

import { ask } from "./request.js";
import { readEvents } from "./event-stream.js";

// An EventSource would do the same for the first stream. But it cannot set the headers of a resume,
// and it does not say why it fails.
export const byGet = (...args) => stream("GET", "events", ...args);

// Some proxies hold back the answer to a GET until it ends, but not the answer to a POST.
export const byPost = (...args) => stream("POST", "events/stream", ...args);

async function stream(method, path, session, signal, receive) {
  const response = await ask(session, path, "event-stream", {
    method, signal, headers: { "Accept": "text/event-stream", "Last-Event-ID": session.position },
  });
  for await (const { data, id } of readEvents(response)) receive(data, id);
}

// A poll brings the same events as a stream, but one position for all of them. If there are none, the
// server waits for this time (s).
export async function byPoll(session, signal, receive, wait) {
  const after = session.position?.split(".").pop() ?? 0;
  const response = await ask(session, "events/poll", "json", { signal }, `wait=${wait}&after=${after}&`);
  const { events, lastEventId } = await response.json();
  for (const event of events) receive(event);
  receive({ type: "heartbeat" }, lastEventId);
}
