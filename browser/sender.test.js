// Tests in which order, with which headers and how often the client sends.

import assert from "node:assert/strict";
import test, { after, before, describe, mock } from "node:test";

import { accept, refuse, startServer, until } from "./fake-server.js";
import { io } from "./src/client.js";

const soon = { timeout: 20_000 };

function open(t, url, options) {
  const socket = io(url, { reconnectionDelay: 20, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

const connected = (socket) => new Promise((resolve) => socket.once("connect", resolve));

// The server refuses a message for a while, and is restarted meanwhile.
test("what a new session repeats follows the join", soon, async (t) => {
  const server = await startServer(t, {
    answer: (response, post) => {
      const isOld = post.headers.authorization === "Bearer token-1";
      if (isOld && post.body.type !== "join-room") refuse(response, 503, "shutting-down", { "Retry-After": "60" });
      else accept(response, post);
    },
  });
  const socket = open(t, server.url);
  await connected(socket);
  await socket.emitWithAck("join-room", "lobby", "me");
  const sent = socket.emitWithAck("send-message", { message: "hello" });
  await until(() => server.posts.length === 2);
  server.drop({ forget: true });
  await sent;
  const later = server.posts.filter(({ headers }) => headers.authorization === "Bearer token-2");
  assert.deepEqual(later.flatMap(({ body }) => body.events ?? [body]).map(({ type }) => type), ["join-room", "send-message"]);
});

// The server cannot read an event that is nested too deep, and nothing that stands beside it.
test("an event that the server cannot read stops no other", soon, async (t) => {
  const server = await startServer(t, {
    answer: (response, post) => {
      const events = post.body.events ?? [post.body];
      if (events.some(({ data }) => data === "deep")) refuse(response, 400, "malformed-json");
      else accept(response, post);
    },
  });
  const socket = open(t, server.url);
  await connected(socket);
  const deep = socket.emitWithAck("signal", { data: "deep" });
  const others = [1, 2, 3].map((data) => socket.emitWithAck("signal", { data }));
  await assert.rejects(deep, { type: "/problems/malformed-json" });
  assert.deepEqual(await Promise.all(others), [1, 2, 3].map(() => ({ status: 202 })));
  assert.deepEqual(server.posts.filter(({ body }) => !body.events).map(({ body }) => body.data), ["deep", 1, 2, 3]);
});

test("a lost session gets no more attempts", soon, async (t) => {
  let isOver = false;
  const server = await startServer(t, {
    answer: (response, post) => {
      if (post.headers.authorization === "Bearer token-2") return accept(response, post);
      if (isOver) return response.destroy(); // whatever it answers, it makes the client unsure
      refuse(response, 503, "shutting-down", { "Retry-After": "60" });
    },
  });
  const socket = open(t, server.url);
  await connected(socket);
  const sent = socket.emitWithAck("ping");
  await until(() => server.posts.length);
  isOver = true;
  server.drop({ forget: true });
  assert.deepEqual(await sent, { status: 202 });
});

describe("nodes that do not reach each other:", { concurrency: true }, () => {
  const soonAgain = { "Retry-After": "0.01" };
  const lose = (response) => response.destroy();
  const notReady = (response) => refuse(response, 503, "not-ready", soonAgain);
  const isUnknown = (response) => refuse(response, 504, "outcome-unknown", soonAgain);
  const tooMany = (response) => refuse(response, 429, "rate-limited", soonAgain);
  const badGateway = (response) => response.writeHead(502).end("<!doctype html>");
  const keysOf = (posts) => new Set(posts.map(({ headers }) => headers["idempotency-key"]));

  // Answers the first POSTs by these functions, and accepts the next. Returns the POSTs.
  async function sendAgainst(t, answers, ...events) {
    const server = await startServer(t, { answer: (response, post, count) => (answers[count - 1] ?? accept)(response, post) });
    const socket = open(t, server.url);
    socket.on("error", assert.fail);
    await connected(socket);
    const sent = events.map((data) => socket.emitWithAck("signal", { data }));
    assert.deepEqual(await Promise.all(sent), events.map(() => ({ status: 202 })));
    return server.posts;
  }

  test("what none accepts is repeated until one does", soon, async (t) => {
    const posts = await sendAgainst(t, Array(30).fill(notReady), 1);
    assert.equal(posts.length, 31);
  });

  // What may have been accepted is known by its key alone, whatever the next attempt meets.
  for (const [what, first] of [["whose outcome is unknown", isUnknown], ["without an answer", lose], ["that a proxy answers", badGateway]]) {
    for (const events of [[1], [1, 2, 3]]) {
      test(`${events.length} events ${what} are repeated as they were`, soon, async (t) => {
        const posts = await sendAgainst(t, [first, notReady, isUnknown, tooMany], ...events);
        assert.equal(posts.length, 5);
        assert.equal(keysOf(posts).size, 1);
        for (const { path, body } of posts) assert.deepEqual([path, body], [posts[0].path, posts[0].body]);
      });
    }
  }

  test("a proxy that refuses the repeat of a batch does not make its events come twice", soon, async (t) => {
    const server = await startServer(t, {
      answer: (response, post, count) => {
        if (count === 1) lose(response); // when it was accepted
        else if (post.body.events) response.writeHead(403).end("<!doctype html>");
        else accept(response, post);
      },
    });
    const socket = open(t, server.url);
    socket.on("error", () => {});
    await connected(socket);
    const sent = [1, 2].map((data) => socket.emitWithAck("signal", { data }));
    for (const answer of sent) await assert.rejects(answer, { status: 403 });
    assert.equal(keysOf(server.posts).size, 1);
  });

  // The server would repeat a refusal that it remembers.
  test("after a refusal alone there is a new key", soon, async (t) => {
    const posts = await sendAgainst(t, [tooMany, tooMany], 1);
    assert.equal(keysOf(posts).size, 3);
  });

  test("a client that leaves does not wait for them", soon, async (t) => {
    const server = await startServer(t, { answer: notReady });
    const socket = open(t, server.url);
    await connected(socket);
    socket.emit("ping");
    socket.disconnect();
    await until(() => server.posts.length === 4);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(server.posts.length, 4);
  });
});

test("headers of the app do not mix with those of the client", soon, async (t) => {
  const server = await startServer(t);
  const socket = open(t, server.url, { extraHeaders: { "authorization": "Basic YTpi", "content-type": "text/plain", "idempotency-key": "1", "x-app": "a" } });
  await connected(socket);
  assert.equal(server.asked[0].headers.authorization, "Basic YTpi");
  await socket.emitWithAck("ping");
  const { headers } = server.posts.at(-1);
  assert.equal(headers.authorization, "Bearer token-1");
  assert.equal(headers["content-type"], "application/json");
  assert.match(headers["idempotency-key"], /^\d+$/);
  assert.equal(headers["x-app"], "a");
});

// The server need not keep what has arrived. A position of another session would say nothing.
test("each POST confirms the last event of its session", soon, async (t) => {
  const server = await startServer(t);
  const socket = open(t, server.url);
  const ping = async () => {
    await socket.emitWithAck("ping");
    return server.posts.at(-1).headers["last-event-id"];
  };
  await connected(socket);
  assert.equal(await ping(), "token-1.0");
  for (const number of [1, 2]) {
    const heard = new Promise((resolve) => socket.once("pong", resolve));
    server.send({ type: "pong", timestamp: 0 });
    await heard;
    assert.equal(await ping(), `token-1.${number}`);
  }
  const again = connected(socket);
  server.drop({ forget: true });
  await again;
  assert.equal(await ping(), "token-2.0");
});

test("a POST that is repeated confirms what came meanwhile", soon, async (t) => {
  const server = await startServer(t, {
    answer: (response, post, count) => {
      if (count > 1) return accept(response, post);
      server.send({ type: "pong", timestamp: 0 });
      response.destroy();
    },
  });
  const socket = open(t, server.url);
  await connected(socket);
  await socket.emitWithAck("ping");
  assert.deepEqual(server.posts.map(({ headers }) => headers["last-event-id"]), ["token-1.0", "token-1.1"]);
  assert.equal(server.posts[0].headers["idempotency-key"], server.posts[1].headers["idempotency-key"]);
});

// If a page of another origin sends any other header, the browser refuses the request. A server of 1.1
// allows every header.
test("the client sends only headers that a server of 1.0 allows", soon, async (t) => {
  const server = await startServer(t);
  const socket = open(t, server.url);
  await connected(socket);
  await socket.emitWithAck("ping");
  const again = new Promise((resolve) => socket.io.once("reconnect", resolve));
  server.drop();
  await again;
  const allowed = ["authorization", "content-type", "idempotency-key", "last-event-id"];
  const needNoPermission = /^(accept.*|cache-control|connection|content-length|host|pragma|sec-.*|user-agent)$/;
  const sent = [...server.posts, ...server.asked].flatMap(({ headers }) => Object.keys(headers));
  assert.deepEqual([...new Set(sent.filter((name) => !needNoPermission.test(name)))].sort(), allowed);
});

test("a clock that is put back does not end the heartbeats", soon, async (t) => {
  const server = await startServer(t);
  const { now } = Date;
  t.after(() => {
    Date.now = now;
  });
  const socket = open(t, server.url);
  await connected(socket);
  const heartbeats = () => server.sent().filter(({ type }) => type === "heartbeat").length;
  server.send({ type: "heartbeat" });
  await until(() => heartbeats() === 1);
  await socket.emitWithAck("ping"); // the heartbeat is answered, too
  Date.now = () => now() - 3_600_000;
  server.send({ type: "heartbeat" });
  await until(() => heartbeats() === 2);
});

test("the query of the address goes with each request", soon, async (t) => {
  const server = await startServer(t);
  const socket = open(t, `${server.url}/?key=a%20b`);
  await connected(socket);
  assert.equal(new URL(`http://host${server.asked[0].url}`).searchParams.get("key"), "a b");
});

test("a heartbeat that is lost with its session is not the sign of the next session", soon, async (t) => {
  const server = await startServer(t, {
    answer: (response, post) => post.headers.authorization === "Bearer token-1" ? response.destroy() : accept(response, post),
  });
  const socket = open(t, server.url);
  await connected(socket);
  server.send({ type: "heartbeat" });
  await until(() => server.posts.length === 1);
  const again = connected(socket);
  server.drop({ forget: true });
  await again;
  await socket.emitWithAck("ping");
  server.send({ type: "heartbeat" });
  await until(() => server.posts.at(-1).body.type === "heartbeat");
});

describe("POSTs that fail", { concurrency: true }, () => {
  // Chance could let a client wait for 20 s until it tries again.
  before(() => mock.method(Math, "random", () => 0.5));
  after(() => mock.restoreAll());

  // The stream works, and something refuses each POST: the browser (CORS, a policy, an extension), or a
  // proxy.
  for (const [what, fail, says] of [
    ["the browser", (response) => response.destroy(), "(status none)"],
    ["a proxy, for a while,", (response) => response.writeHead(502).end("<!doctype html>"), "(status 502)"],
    ["a proxy, for an hour,", (response) => response.writeHead(503, { "Retry-After": "3600" }).end("<!doctype html>"), "(status 503)"],
    ["a captive portal", (response) => response.writeHead(200).end("<!doctype html>"), "(status 200)"],
  ]) {
    test(`POSTs that ${what} refuses are reported, and sent when they pass`, soon, async (t) => {
      let passes = false;
      const server = await startServer(t, { answer: (response, post) => passes ? accept(response, post) : fail(response) });
      const socket = open(t, server.url);
      await connected(socket);
      const began = Date.now();
      const sent = socket.emitWithAck("join-room", "lobby", "me");
      const error = await new Promise((resolve) => socket.once("connect_error", resolve));
      const passed = Date.now() - began;
      assert.ok(error.message.includes(says), error.message);
      assert.match(error.message, /^No signaling server answered a request to "http.*check its CORS_ORIGIN$/);
      assert.ok(passed > 2000 && passed < 10_000, `after ${passed} ms`);
      assert.ok(socket.connected, "the stream works");
      passes = true;
      assert.deepEqual(await sent, { status: 202 });
      socket.once("connect_error", assert.fail);
      assert.deepEqual(await socket.emitWithAck("ping"), { status: 202 });
    });
  }

  // Each event is refused at once, and the client does not know whether the next one will be.
  test("a proxy that refuses all events for good is reported", soon, async (t) => {
    const server = await startServer(t, { answer: (response) => response.writeHead(403).end("<!doctype html>") });
    const socket = open(t, server.url);
    await connected(socket);
    const errors = [];
    socket.on("connect_error", ({ status }) => errors.push(status));
    assert.equal((await socket.emitWithAck("join-room", "lobby", "me").catch((problem) => problem)).status, 403);
    const began = Date.now();
    assert.deepEqual(errors, [], "it may be about this event");
    await until(() => Date.now() - began > 2100);
    assert.equal((await socket.emitWithAck("ping").catch((problem) => problem)).status, 403);
    assert.deepEqual(errors, [403]);
  });

  test("a lost POST and a refusal of the server are not reported", soon, async (t) => {
    let lost = 0;
    const server = await startServer(t, {
      answer: (response, post) => {
        if (post.body.type === "pong") return refuse(response, 422, "validation-failed");
        if (lost++ % 2 === 0) return response.destroy();
        accept(response, post);
      },
    });
    const socket = open(t, server.url);
    await connected(socket);
    socket.on("connect_error", assert.fail);
    const began = Date.now();
    while (Date.now() - began < 3000) {
      assert.deepEqual(await socket.emitWithAck("ping"), { status: 202 });
      assert.equal((await socket.emitWithAck("pong").catch((problem) => problem)).status, 422);
    }
  });

  // What a dead link does to a POST is not news: the stream is broken as well.
  test("POSTs that fail while the stream is broken are not reported", soon, async (t) => {
    let isDown = false;
    const server = await startServer(t, {
      read: (response) => isDown && (response.destroy(), true),
      answer: (response, post) => isDown ? response.destroy() : accept(response, post),
    });
    const socket = open(t, server.url, { reconnectionDelay: 100, reconnectionDelayMax: 100 });
    await connected(socket);
    socket.on("connect_error", assert.fail);
    isDown = true;
    const sent = socket.emitWithAck("ping");
    await until(() => server.posts.length);
    server.drop();
    await new Promise((resolve) => setTimeout(resolve, 4000));
    isDown = false;
    assert.deepEqual(await sent, { status: 202 });
  });
});
