// Tests the socket against a server of the tests.

import assert from "node:assert/strict";
import test from "node:test";

import { accept, answerJSON, refuse, startServer, until } from "./fake-server.js";
import { io, Problem } from "./src/client.js";

const soon = { timeout: 20_000 };

// Opens a socket that ends with the test.
function open(t, url, options) {
  const socket = io(url, { reconnectionDelay: 20, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

const heard = (socket, type) => new Promise((resolve) => socket.once(type, resolve));
const connected = (socket) => heard(socket, "connect");

test("the socket asks for fresh ICE servers", soon, async (t) => {
  const fresh = [{ urls: ["turn:127.0.0.1"], username: "1:a", credential: "b" }];
  const answers = [
    (response) => answerJSON(response, fresh),
    (response) => refuse(response, 429, "rate-limited"),
    (response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<h1>A page</h1>"),
    (response) => response.destroy(),
  ];
  const server = await startServer(t, {
    read: (response, { url, headers }) => {
      if (!url.startsWith("/ice-servers?")) return false;
      assert.equal(headers.authorization, "Bearer token-1");
      answers.shift()(response);
      return true;
    },
  });
  const socket = open(t, server.url);
  await assert.rejects(socket.fetchIceServers(), { name: "Problem", type: "/problems/session-ended" });
  await connected(socket);
  assert.deepEqual(await socket.fetchIceServers(), fresh);
  assert.equal(socket.iceServers[0].credential, "b");
  await assert.rejects(socket.fetchIceServers(), (problem) => problem instanceof Problem && problem.status === 429);
  await assert.rejects(socket.fetchIceServers(), { name: "Problem", status: 200 });
  await assert.rejects(socket.fetchIceServers(), { name: "Problem", type: "/problems/unreachable" });
  assert.deepEqual(socket.iceServers, fresh);
});

test.describe("in a new session, the last join counts:", soon, () => {
  const joined = (roomId) => ({ type: "room-joined", roomId, userId: "me", users: [] });
  const left = (reason) => ({ type: "room-left", roomId: "A", reason });
  const cases = {
    "a join that follows a leave, whose answer comes late": [["B"], async (socket, server) => {
      await socket.emitWithAck("join-room", "A", "me");
      await Promise.all([socket.emitWithAck("leave-room"), socket.emitWithAck("join-room", "B", "me")]);
      for (const event of [joined("A"), left("left"), joined("B")]) server.send(event);
    }],
    "the join before a join that was refused": [["A"], async (socket) => {
      await socket.emitWithAck("join-room", "A", "me");
      await assert.rejects(socket.emitWithAck("join-room", "full", "me"), { status: 409 });
      await assert.rejects(socket.emitWithAck("join-room", "full", "me"), { status: 409 });
    }],
    "a join that was sent before an operator closed the former room": [["B"], async (socket, server) => {
      await socket.emitWithAck("join-room", "A", "me");
      server.send(joined("A"));
      const answer = socket.emitWithAck("join-room", "B", "me");
      await answer;
      for (const event of [left("room closed"), joined("B")]) server.send(event);
    }],
    "not the join of a member that was kicked": [[], async (socket, server) => {
      await socket.emitWithAck("join-room", "A", "me");
      for (const event of [joined("A"), left("kicked")]) server.send(event);
    }],
    "not the join before a leave": [[], async (socket) => {
      await socket.emitWithAck("join-room", "A", "me");
      await socket.emitWithAck("leave-room");
    }],
    "a join after leaves, all emitted while the link is broken": [["B"], async (socket, server) => {
      await socket.emitWithAck("join-room", "A", "me");
      server.drop({ forget: true });
      await heard(socket.io, "reconnect_attempt");
      for (const args of [["leave-room"], ["join-room", "A", "me"], ["leave-room"], ["join-room", "B", "me"]]) socket.emit(...args, () => {});
    }],
    "a join by a listener of connect, after a leave that waits": [["B"], async (socket, server) => {
      await socket.emitWithAck("join-room", "A", "me");
      socket.on("connect", () => socket.emit("join-room", "B", "me"));
      server.drop({ forget: true });
      await heard(socket.io, "reconnect_attempt");
      socket.emit("leave-room", () => {});
    }],
  };
  for (const [name, [want, act]] of Object.entries(cases)) {
    test(name, soon, async (t) => {
      const server = await startServer(t, {
        answer: (response, post) => post.body.roomId === "full" ? refuse(response, 409, "room-full") : accept(response, post),
      });
      const socket = open(t, server.url, { reconnectionDelay: 100 });
      socket.on("error", () => {});
      await connected(socket);
      await act(socket, server);
      server.send({ type: "pong", timestamp: 1 });
      if (server.streams.size) await heard(socket, "pong");
      const before = socket.id === "id-1" ? server.sent().length : 0;
      server.drop({ forget: true });
      await connected(socket);
      await socket.emitWithAck("ping");
      const rooms = [];
      for (const { type, roomId } of server.sent().slice(before)) {
        if (type === "join-room") rooms[0] = roomId;
        if (type === "leave-room") rooms.pop();
      }
      assert.deepEqual(rooms, want, JSON.stringify(server.sent()));
    });
  }
});

test("what is emitted while the link is broken is sent in the new session, and only what was under way is unsure", soon, async (t) => {
  const refusals = [];
  let underWay;
  const server = await startServer(t, {
    answer: (response, post) => {
      if (post.body.data === "under way") underWay = response; // and no answer
      else accept(response, post);
    },
  });
  const socket = open(t, server.url);
  socket.on("error", (problem) => refusals.push(problem.type));
  await connected(socket);
  await socket.emitWithAck("join-room", "room", "me");
  socket.emit("signal", { data: "under way" });
  await until(() => underWay);
  socket.emit("signal", { data: "waits behind it" });
  server.stop();
  await heard(socket.io, "reconnect_attempt");
  socket.emit("signal", { data: 1 });
  socket.emit("signal", { data: 2 });
  socket.volatile.emit("signal", { data: "volatile" });

  const again = await startServer(t, {
    port: server.port,
    answer: (response, post) => post.headers.authorization === "Bearer token-1" ? refuse(response, 401, "unknown-session") : accept(response, post),
  });
  again.sessions = 5; // it does not know the token
  await connected(socket);
  await socket.emitWithAck("ping");
  const posts = again.posts.filter(({ headers }) => headers.authorization !== "Bearer token-1");
  const sent = posts.flatMap(({ body }) => body.events ?? [body]).filter(({ type }) => type !== "ping");
  assert.deepEqual(sent.map(({ roomId, data }) => roomId ?? data), ["room", "waits behind it", 1, 2]);
  assert.deepEqual(refusals, ["/problems/session-ended"]);
});

test("events wait while nothing reads the session, and leave when it is resumed", soon, async (t) => {
  let down = false;
  const server = await startServer(t, { read: (response) => down && response.destroy() });
  const socket = open(t, server.url);
  await connected(socket);
  down = true;
  server.drop();
  await heard(socket.io, "reconnect_attempt");
  const accepted = socket.emitWithAck("ping");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(server.posts, []);
  down = false;
  await accepted;
  assert.equal(server.sessions, 1);
  // A goodbye does not wait.
  down = true;
  server.drop();
  await heard(socket.io, "reconnect_attempt");
  socket.emit("typing-start");
  socket.disconnect();
  await until(() => server.posts.length === 2);
  assert.deepEqual(server.sent().map(({ type }) => type), ["ping", "typing-start", "disconnect"]);
});

test("volatile drops an event unless the socket is connected", soon, async (t) => {
  const server = await startServer(t);
  const socket = open(t, server.url);
  const errors = [];
  socket.on("error", (problem) => errors.push(problem));
  socket.volatile.emit("signal", { data: 1 });
  await assert.rejects(socket.volatile.emitWithAck("signal", { data: 2 }), /not connected/);
  socket.emit("signal", { data: 3 });
  await connected(socket);
  await socket.volatile.timeout(5000).emitWithAck("signal", { data: 4 });
  assert.deepEqual(server.sent().map(({ data }) => data), [3, 4]);
  assert.deepEqual(errors, []);
});

test.describe("signs of life:", soon, () => {
  const beats = (server) => server.sent().filter(({ type }) => type === "heartbeat").length;
  const open1 = async (t, answer) => {
    const server = await startServer(t, { answer });
    const socket = open(t, server.url);
    const errors = [];
    socket.on("error", (problem) => errors.push(problem));
    await connected(socket);
    return { server, socket, errors };
  };
  const heartbeat = { type: "heartbeat", timestamp: "" };

  test("a heartbeat is answered, and on a busy stream any event, but not if a POST left lately", soon, async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: 1e12 });
    const { server, socket } = await open1(t);
    const hear = async (event) => {
      server.send(event);
      server.send({ type: "pong", timestamp: 1 });
      await heard(socket, "pong");
      await new Promise((resolve) => setTimeout(resolve, 20));
      return beats(server);
    };
    assert.equal(await hear(heartbeat), 1);
    assert.equal(await hear(heartbeat), 1);
    t.mock.timers.setTime(1e12 + 4900);
    assert.equal(await hear({ type: "signal", from: "x", data: 1 }), 1);
    t.mock.timers.setTime(1e12 + 5100);
    assert.equal(await hear({ type: "signal", from: "x", data: 1 }), 2);
    t.mock.timers.setTime(1e12 + 10_000);
    await socket.emitWithAck("ping");
    t.mock.timers.setTime(1e12 + 14_000);
    assert.equal(await hear(heartbeat), 2);
    t.mock.timers.setTime(1e12 + 20_000);
    assert.equal(await hear(heartbeat), 3);
  });

  test("a server that does not know them is asked once in a session, and nobody learns of it", soon, async (t) => {
    t.mock.timers.enable({ apis: ["Date"], now: 1e12 });
    const { server, socket, errors } = await open1(t, (response, post) =>
      post.body.type === "heartbeat" ? refuse(response, 422, "validation-failed") : accept(response, post));
    for (let n = 0; n < 4; n++) {
      server.send(heartbeat);
      await new Promise((resolve) => setTimeout(resolve, 30));
      t.mock.timers.setTime(1e12 + (n + 1) * 9000);
    }
    await socket.emitWithAck("ping");
    server.send(heartbeat);
    await socket.emitWithAck("ping");
    assert.equal(beats(server), 1);
    server.drop({ forget: true });
    await connected(socket);
    server.send(heartbeat);
    await until(() => beats(server) === 2);
    assert.deepEqual(errors, []);
  });

  test("polls need none", soon, async (t) => {
    let polls = 0;
    const server = await startServer(t, {
      read: (response, { url }) => {
        if (!url.startsWith("/events/poll")) return response.writeHead(502).end() ?? true;
        const connected = { type: "connected", socketId: "id-1", token: "token-1", resumed: false, heartbeatInterval: 10_000, resumeWindow: 10_000 };
        const events = polls++ ? [{ type: "signal", from: "x", data: polls }] : [connected];
        setTimeout(() => answerJSON(response, { events, lastEventId: `token-1.${polls}` }), 20);
        return true;
      },
    });
    const socket = open(t, server.url);
    await connected(socket);
    await until(() => polls > 5);
    assert.equal(beats(server), 0);
  });
});

test("an address is never the same twice", soon, async (t) => {
  const server = await startServer(t, {
    read: (response, { url }) => url.startsWith("/events/poll") ? !answerJSON(response, { events: [], lastEventId: "token-1.1" }) : false,
  });
  const socket = open(t, server.url, { query: { tenant: "7 & 8" } });
  for (let n = 0; n < 3; n++) {
    await connected(socket);
    server.drop({ forget: true });
  }
  await connected(socket);
  await socket.emitWithAck("ping");
  const urls = server.asked.map(({ url }) => url);
  assert.equal(new Set(urls).size, urls.length, urls.join(" "));
  for (const url of urls) assert.match(url, /[?&]tenant=7\+%26\+8(&|$)/);
});

test("query and extraHeaders go with each request", soon, async (t) => {
  const addresses = [];
  const server = await startServer(t, {
    answer: (response, post) => accept(response, post),
    read: (response, request) => {
      addresses.push([request.url.replace(/&?_=[\d.e-]+&?/, ""), request.headers["x-tenant"], request.headers.authorization]);
      return request.url.startsWith("/ice") ? answerJSON(response, []) ?? true : false;
    },
  });
  const socket = open(t, server.url, { query: "a=1&b=2", extraHeaders: { "X-Tenant": "7", Authorization: "Basic x" } });
  await connected(socket);
  await socket.fetchIceServers();
  await socket.emitWithAck("ping");
  assert.deepEqual(addresses, [["/events?a=1&b=2", "7", "Basic x"], ["/ice-servers?a=1&b=2", "7", "Bearer token-1"]]);
  assert.equal(server.posts[0].headers["x-tenant"], "7");
  assert.equal(server.posts[0].headers.authorization, "Bearer token-1");
});

test("a stream that the server refuses is a failed attempt, not a connection", soon, async (t) => {
  let refused = 0;
  const server = await startServer(t, {
    read: (response) => {
      if (refused++) return false;
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.end(`event: disconnected\ndata: {"type":"disconnected","reason":"at capacity","retryAfter":30}\n\n`);
      return true;
    },
  });
  const socket = open(t, server.url);
  const log = [];
  socket.on("connect", () => log.push(["connect", socket.id]));
  socket.on("connect_error", ({ message }) => log.push(["connect_error", message]));
  await connected(socket);
  assert.deepEqual(log, [["connect_error", "at capacity"], ["connect", "id-1"]]);
});

test.describe("a node that is not ready sends its clients to another:", soon, () => {
  const word = { type: "disconnected", reason: "draining", retryAfter: 20 };
  const refuseStream = (response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.end(`event: disconnected\ndata: ${JSON.stringify(word)}\n\n`);
    return true;
  };

  // Keeps what listeners hear of the socket.
  function logOf(socket) {
    const log = [];
    for (const type of ["connect", "disconnect", "connect_error", "error"]) socket.on(type, () => log.push(type));
    return log;
  }

  test("a stream is resumed from its last event, and no listener hears of it", soon, async (t) => {
    const answers = [];
    const server = await startServer(t, { read: (response) => answers.shift()?.(response) });
    const socket = open(t, server.url, { reconnectionDelay: 60_000 });
    await connected(socket);
    const log = logOf(socket);
    await socket.emitWithAck("join-room", "A", "me");
    server.send({ type: "pong", timestamp: 1 });
    await heard(socket, "pong");
    answers.push(refuseStream, refuseStream);
    for (const { response } of server.streams) response.end(`event: disconnected\ndata: ${JSON.stringify(word)}\n\n`);
    await heard(socket.io, "reconnect");
    server.send({ type: "pong", timestamp: 2 });
    await heard(socket, "pong");
    assert.deepEqual(server.asked.map(({ method, path, headers }) => [method, path, headers["last-event-id"]]), [
      ["GET", "/events", undefined], ...Array(3).fill(["GET", "/events", "token-1.1"]),
    ]);
    assert.deepEqual(log, []);
    assert.equal(server.sent().filter(({ type }) => type === "join-room").length, 1);
  });

  test("a poll is asked again when the node says", soon, async (t) => {
    const hello = { type: "connected", socketId: "id-1", token: "token-1", resumed: false, heartbeatInterval: 10_000, resumeWindow: 10_000 };
    let polls = 0;
    const server = await startServer(t, {
      read: (response, { url }) => {
        if (!url.startsWith("/events/poll")) return response.writeHead(403).end() ?? true;
        polls++;
        if (polls > 2 && polls < 6) refuse(response, 503, "not-ready", { "Retry-After": "0.02" });
        else answerJSON(response, { events: polls === 1 ? [hello] : polls === 6 ? [{ type: "pong", timestamp: 1 }] : [], lastEventId: "token-1.7" });
        return true;
      },
    });
    const socket = open(t, server.url, { reconnectionDelay: 60_000 });
    await connected(socket);
    const log = logOf(socket);
    await heard(socket, "pong");
    const asked = server.asked.filter(({ path }) => path === "/events/poll").slice(2, 6);
    for (const { url, headers } of asked) assert.deepEqual([/after=(\d+)/.exec(url)?.[1], headers.authorization], ["7", "Bearer token-1"]);
    assert.deepEqual(log, []);
  });

  // The server counts no resume window while its nodes do not reach each other.
  test("after longer than the resume window the socket is the same", soon, async (t) => {
    let isOut = false;
    const server = await startServer(t, { read: (response) => isOut && refuseStream(response) });
    const socket = open(t, server.url);
    await connected(socket);
    await socket.emitWithAck("join-room", "A", "me");
    server.send({ type: "connected", socketId: "id-1", token: "token-1", resumed: true, heartbeatInterval: 10_000, resumeWindow: 100 });
    isOut = true;
    server.send(word);
    await heard(socket, "disconnect");
    const waits = socket.emitWithAck("ping");
    isOut = false;
    await connected(socket);
    assert.deepEqual([socket.id, socket.recovered, await waits], ["id-1", true, { status: 202 }]);
    assert.deepEqual(server.sent().map(({ type }) => type).filter((type) => type !== "heartbeat"), ["join-room", "ping"]);
  });

  // The other nodes learn of it in 5 s, and then the resume window of 10 s begins.
  test("a poll leaves a node that answers nothing more within 14 s", soon, async (t) => {
    t.mock.timers.enable({ apis: ["Date", "setInterval"], now: 1e12 });
    let polls = 0;
    const server = await startServer(t, {
      read: (response, { url }) => {
        if (!url.startsWith("/events/poll")) return response.writeHead(403).end() ?? true;
        const hello = { type: "connected", socketId: "id-1", token: "token-1", resumed: false, heartbeatInterval: 10_000, resumeWindow: 10_000 };
        if (++polls !== 3) answerJSON(response, { events: polls === 1 ? [hello] : [{ type: "pong", timestamp: 1 }], lastEventId: "token-1.0" });
        return true;
      },
    });
    const socket = open(t, server.url);
    await connected(socket);
    await until(() => polls === 3);
    t.mock.timers.tick(14_000);
    await until(() => polls > 3);
  });

  // A proxy may answer in place of a node that was killed. That says nothing about streams.
  test("one answer of a proxy changes no way to read", soon, async (t) => {
    const answers = [];
    const server = await startServer(t, { read: (response) => answers.shift()?.(response) });
    const socket = open(t, server.url);
    await connected(socket);
    const log = logOf(socket);
    answers.push((response) => response.writeHead(502).end("<!doctype html>"));
    server.drop();
    await heard(socket.io, "reconnect");
    await socket.emitWithAck("ping");
    assert.equal(socket.io.engine.transport.name, "eventsource");
    assert.deepEqual(server.asked.map(({ method, path }) => `${method} ${path}`), Array(3).fill("GET /events"));
    assert.deepEqual(log, []);
  });
});
