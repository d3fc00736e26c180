// A server for the tests of the client. It opens sessions, keeps what is posted, and answers as the
// test says.

import { once } from "node:events";
import { createServer } from "node:http";

const JSON_TYPE = { "Content-Type": "application/json" };

export const accept = (response, { path, body }) => {
  if (path === "/events") return response.writeHead(202, JSON_TYPE).end("{}");
  response.writeHead(200, JSON_TYPE).end(JSON.stringify({ results: body.events.map(() => ({ status: 202 })) }));
};

export const refuse = (response, status, type, headers = {}) => {
  response.writeHead(status, { "Content-Type": "application/problem+json", ...headers });
  response.end(JSON.stringify({ type: `/problems/${type}`, title: "No", status, detail: "Not now." }));
};

export const answerJSON = (response, value) => response.writeHead(200, JSON_TYPE).end(JSON.stringify(value));

// Resolves when the condition holds. The time limit of the test ends a wait that is in vain.
export async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

// read(response, request) may answer a GET or the POST that opens a stream, and answer(response,
// post) any other POST. If read returns false, or is missing, a stream begins.
export async function startServer(t, { read, answer = accept, port = 0 } = {}) {
  const self = { posts: [], asked: [], streams: new Set(), sessions: 0, url: "", port: 0, sent, send, drop, stop };
  let forgotten = false;
  let sequence = 0; // of the last event in this session
  const server = createServer(async (request, response) => {
    const path = new URL(`http://host${request.url}`).pathname;
    if (request.method === "GET" || path === "/events/stream") {
      self.asked.push({ method: request.method, url: request.url, path, headers: request.headers });
      if (!(await read?.(response, request))) open(request, response);
      return;
    }
    let text = "";
    for await (const chunk of request) text += chunk;
    const post = { path, body: JSON.parse(text), headers: request.headers };
    self.posts.push(post);
    await answer(response, post, self.posts.length);
  });

  function open(request, response) {
    const known = request.headers.authorization?.split(" ")[1];
    const resumed = known === `token-${self.sessions}` && !forgotten;
    forgotten = false;
    if (!resumed) {
      self.sessions++;
      sequence = 0;
    }
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const stream = { response };
    self.streams.add(stream);
    response.on("close", () => self.streams.delete(stream));
    write(stream, {
      type: "connected", socketId: `id-${self.sessions}`, token: `token-${self.sessions}`,
      resumed, heartbeatInterval: 10_000, resumeWindow: 10_000,
    });
  }

  const write = ({ response }, event) => response.write(`id: token-${self.sessions}.${sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);

  // Sends an event in all streams.
  function send(event) {
    if (event.type !== "heartbeat") sequence++;
    for (const stream of self.streams) write(stream, event);
  }

  // Cuts all streams. If the server is to forget the session, the next stream opens another.
  function drop({ forget = false } = {}) {
    forgotten = forget;
    for (const { response } of self.streams) response.destroy();
  }

  // The events that were posted, in order.
  function sent() {
    return self.posts.flatMap(({ body }) => body.events ?? [body]);
  }

  function stop() {
    server.close();
    server.closeAllConnections();
  }

  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  self.port = /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  self.url = `http://127.0.0.1:${self.port}`;
  t.after(stop);
  return self;
}
