// Tests the client in Node.js, as npm packs it. SERVER is the address of a real server.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import { once } from "node:events";
import test from "node:test";
import { promisify } from "node:util";

import io, { Problem, Socket } from "signaling-server-client";

const run = promisify(execFile);
const soon = { timeout: 30_000 };

test("two processes relay to each other: one imports the client, the other requires it", soon, async () => {
  const sides = await Promise.all(["relay.mjs", "relay.cjs"].map((file) => run(process.execPath, [file, process.env.SERVER, file])));
  for (const { stdout, stderr } of sides) {
    assert.equal(stderr, "");
    const { heard, refused, transport } = JSON.parse(stdout);
    assert.deepEqual(refused, []);
    assert.deepEqual(heard, Array.from({ length: 200 }, (_, n) => n));
    assert.equal(transport, "eventsource");
  }
});

// Starts a server that opens one session, and answers POSTs by a function of the test. Resolves to a
// connected socket and the POSTs so far.
async function fakeServer(t, answer) {
  const posts = [];
  let underWay = 0;
  const server = createServer(async (request, response) => {
    if (request.method === "GET" || request.url === "/events/stream") {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      const connected = { type: "connected", socketId: "me", token: "secret", resumed: false, heartbeatInterval: 10_000, resumeWindow: 10_000 };
      response.write(`id: secret.1\nevent: connected\ndata: ${JSON.stringify(connected)}\n\n`);
      return;
    }
    let body = "";
    for await (const chunk of request) body += chunk;
    const post = { path: request.url, body: JSON.parse(body), key: request.headers["idempotency-key"], at: Date.now() };
    posts.push(post);
    assert.equal(++underWay, 1, "one POST at a time");
    assert.equal(request.headers.authorization, "Bearer secret");
    await answer(response, post, posts.length);
    underWay--;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = io(`http://127.0.0.1:${server.address().port}`, { reconnectionDelay: 50 });
  t.after(() => {
    socket.disconnect();
    server.closeAllConnections();
    server.close();
  });
  await new Promise((resolve) => socket.once("connect", resolve));
  return { socket, posts };
}

const accept = (response, { path, body }) => {
  if (path === "/events") return response.writeHead(202).end();
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ results: body.events.map(() => ({ status: 202 })) }));
};
const refuse = (response, status, type, headers = {}) => {
  response.writeHead(status, { "Content-Type": "application/problem+json", ...headers });
  response.end(JSON.stringify({ type, title: "No", status, detail: "Not now." }));
};
const types = ({ body }) => (body.events ?? [body]).map(({ type }) => type);

test("events that wait while a POST is under way go as one batch, in order", soon, async (t) => {
  let release;
  const { socket, posts } = await fakeServer(t, async (response, post, number) => {
    if (number === 1) await new Promise((resolve) => { release = resolve; });
    accept(response, post);
  });
  const first = socket.emitWithAck("ping");
  while (!release) await new Promise(setImmediate);
  const later = ["typing-start", "typing-stop", "ping"].map((type) => socket.emitWithAck(type));
  release();
  await Promise.all([first, ...later]);
  assert.deepEqual(posts.map(types), [["ping"], ["typing-start", "typing-stop", "ping"]]);
});

test("a batch holds no more than the server accepts", soon, async (t) => {
  const { socket, posts } = await fakeServer(t, accept);
  await Promise.all(Array.from({ length: 150 }, () => socket.emitWithAck("ping")));
  const large = "€".repeat(10_000); // 30 KB in UTF-8
  await Promise.all(Array.from({ length: 4 }, () => socket.emitWithAck("signal", { data: large })));
  assert.deepEqual(posts.map(({ body }) => body.events?.length ?? 1), [64, 64, 22, 1, 1, 1, 1]);
});

test("a POST whose answer is lost is repeated with its key", soon, async (t) => {
  const { socket, posts } = await fakeServer(t, (response, post, number) => {
    if (number < 3) response.destroy();
    else accept(response, post);
  });
  assert.deepEqual(await socket.emitWithAck("ping"), { status: 202 });
  assert.equal(posts.length, 3);
  assert.equal(new Set(posts.map(({ key }) => key)).size, 1);
});

test("the pages of a proxy and of a captive portal do not count as answers", soon, async (t) => {
  const { socket, posts } = await fakeServer(t, (response, post, number) => {
    if (number > 2) return accept(response, post);
    response.writeHead(number === 1 ? 502 : 200, { "Content-Type": "text/html" }).end("<h1>A page</h1>");
  });
  await socket.emitWithAck("ping");
  assert.equal(new Set(posts.map(({ key }) => key)).size, 1);
  assert.equal(posts.length, 3);
});

test("a client that is asked to wait does so, and then uses another key", soon, async (t) => {
  const { socket, posts } = await fakeServer(t, (response, post, number) => {
    if (number === 1) refuse(response, 429, "/problems/rate-limited", { "Retry-After": "1" });
    else accept(response, post);
  });
  await socket.emitWithAck("ping");
  assert.notEqual(posts[0].key, posts[1].key);
  assert.ok(posts[1].at - posts[0].at >= 950, "a second has passed");
});

test("if a proxy blocks batches, the events go one by one", soon, async (t) => {
  const { socket, posts } = await fakeServer(t, (response, post) => {
    if (post.path === "/events") return accept(response, post);
    response.writeHead(403, { "Content-Type": "text/html" }).end("<h1>Blocked</h1>");
  });
  await Promise.all(["typing-start", "typing-stop"].map((type) => socket.emitWithAck(type)));
  assert.deepEqual(posts.map(types), [["typing-start", "typing-stop"], ["typing-start"], ["typing-stop"]]);
});

test("a refusal comes as error event, to the callback, and as a rejection", soon, async (t) => {
  const { socket } = await fakeServer(t, (response) => refuse(response, 404, "/problems/target-not-found"));
  const errors = [];
  socket.on("error", (problem) => errors.push(problem));
  const offer = { target: "nobody", offer: { type: "offer", sdp: "" } };
  const answer = await new Promise((resolve) => socket.emit("offer", offer, resolve));
  await assert.rejects(socket.emitWithAck("offer", offer), (problem) => problem instanceof Problem && problem.status === 404);
  assert.equal(answer.type, "/problems/target-not-found");
  assert.deepEqual(errors.map(({ message }) => message), ["Not now.", "Not now."]);
});

test("an event that timed out before it was sent is never sent", soon, async (t) => {
  const { socket, posts } = await fakeServer(t, async (response, post, number) => {
    if (number === 1) await new Promise((resolve) => setTimeout(resolve, 300));
    accept(response, post);
  });
  const first = socket.emitWithAck("ping");
  await new Promise(setImmediate);
  await assert.rejects(socket.timeout(100).emitWithAck("typing-start"), /operation has timed out/);
  await first;
  await socket.emitWithAck("typing-stop");
  assert.deepEqual(posts.map(types), [["ping"], ["typing-stop"]]);
});

test("listeners come and go as in socket.io-client, and one that throws does not stop the others", soon, (t) => {
  const socket = io("http://127.0.0.1:9", { autoConnect: false });
  assert.ok(socket instanceof Socket);
  assert.deepEqual([socket.connected, socket.disconnected, socket.active, socket.id], [false, true, false, undefined]);
  for (const name of ["connect", "connect_error", "disconnect"]) assert.throws(() => socket.emit(name), /reserved event name/);

  const thrown = [];
  t.mock.method(globalThis, "setTimeout", (task) => { try { task(); } catch (error) { thrown.push(error.message); } });
  const heard = [];
  const listener = (event) => heard.push(["on", event]);
  socket.on("pong", () => { throw new Error("mine"); });
  socket.on("pong", listener).once("pong", (event) => heard.push(["once", event]));
  socket.tell("pong", 1);
  socket.off("pong", listener).tell("pong", 2);
  socket.off("pong");
  socket.tell("pong", 3);
  assert.deepEqual(heard, [["on", 1], ["once", 1]]);
  assert.deepEqual(thrown, ["mine", "mine"]);
});

test("attempts end after reconnectionAttempts", soon, async () => {
  const socket = io("http://127.0.0.1:9", { reconnectionAttempts: 2, reconnectionDelay: 1 });
  const errors = [];
  socket.on("connect_error", (error) => errors.push(error.message));
  await new Promise((resolve) => socket.io.on("reconnect_failed", resolve));
  assert.equal(errors.length, 3);
  assert.equal(socket.active, false);
});
