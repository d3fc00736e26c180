// Tests the client on platforms whose APIs are missing, partial or broken.

import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import test from "node:test";

import { accept, answerJSON, startServer, until } from "./fake-server.js";
import { io } from "./src/client.js";

const soon = { timeout: 20_000 };
const connected = (socket) => new Promise((resolve) => socket.once("connect", resolve));

function open(t, url, options) {
  const socket = io(url, { reconnectionDelay: 20, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

// Gives globals other values for a test. With undefined a global is missing.
function setGlobals(t, globals) {
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
    t.after(() => before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]);
  }
}

// Lets the client's time pass 20 times as fast, so that a test sees its time limits.
function hurry(t) {
  const { setTimeout, setInterval, Date } = globalThis;
  const begin = Date.now();
  setGlobals(t, {
    setTimeout: (callback, ms, ...args) => setTimeout(callback, ms / 20, ...args),
    setInterval: (callback, ms, ...args) => setInterval(callback, ms / 20, ...args),
    Date: class extends Date {
      static now() {
        return begin + (Date.now() - begin) * 20;
      }
    },
  });
}

// A platform that never ends a request because of its signal. Node.js 20 and 22 do so if the end of
// the answer is there already.
function ignoreAborts(t, alter = (response) => response) {
  const { fetch } = globalThis;
  setGlobals(t, { fetch: async (url, { signal, ...init } = {}) => alter(await fetch(url, init), url) });
}

const never = new Promise(() => {});

test.describe("a platform that does not end what was aborted:", () => {
  test("after server-shutdown the client comes back", soon, async (t) => {
    ignoreAborts(t);
    const server = await startServer(t);
    const socket = open(t, server.url);
    await connected(socket);
    server.send({ type: "server-shutdown", message: "", reconnectAfter: 20 });
    await until(() => server.streams.size === 2);
    server.send({ type: "pong", timestamp: 1 });
    const pongs = [];
    socket.on("pong", (pong) => pongs.push(pong));
    server.send({ type: "pong", timestamp: 2 });
    await socket.emitWithAck("ping");
    await until(() => pongs.length);
    assert.equal(socket.connected, true);
  });

  test("a silent stream is left by time", soon, async (t) => {
    ignoreAborts(t);
    hurry(t);
    const server = await startServer(t);
    const socket = open(t, server.url);
    await connected(socket);
    await until(() => server.streams.size >= 2);
  });

  for (const [what, breaks] of [["reported", false], ["not reported if the stream broke meanwhile", true]]) {
    test(`a POST without an answer is repeated with its key, and ${what}`, soon, async (t) => {
      ignoreAborts(t);
      hurry(t);
      const server = await startServer(t, { answer: (response, post, number) => number > 1 && accept(response, post) });
      const socket = open(t, server.url);
      await connected(socket);
      const began = Date.now();
      const errors = [];
      socket.on("connect_error", ({ message }) => errors.push([message, Date.now() - began]));
      const sent = socket.emitWithAck("ping");
      const heartbeats = setInterval(() => server.send({ type: "heartbeat" }), 5000); // so the stream works
      t.after(() => clearInterval(heartbeats));
      await until(() => server.posts.length);
      if (breaks) server.drop();
      await sent;
      assert.equal(server.posts[0].headers["idempotency-key"], server.posts[1].headers["idempotency-key"]);
      assert.equal(errors.length, breaks ? 0 : 1);
      for (const [message, passed] of errors) {
        assert.match(message, /^No signaling server answered a request to "http.*" \(status none\)/);
        assert.ok(passed >= 15_000 && passed < 25_000, `after ${passed} ms`); // a busy machine takes longer
      }
    });
  }

  for (const [name, broken] of [["a body that never comes", { json: () => never }], ["an answer that never comes", { then: () => {} }]]) {
    test(`${name} is given up`, { timeout: 40_000 }, async (t) => {
      let polls = 0;
      ignoreAborts(t, (response, url) => {
        if (url.includes("ice-servers") || url.includes("poll") && ++polls === 2) Object.assign(response, broken);
        return response;
      });
      hurry(t);
      const connectedEvent = { type: "connected", socketId: "id-1", token: "token-1", resumed: false, heartbeatInterval: 10_000, resumeWindow: 60_000 };
      const server = await startServer(t, {
        read: (response, { url, headers }) => {
          if (url.startsWith("/events/poll") || url.startsWith("/ice")) {
            const events = headers.authorization ? [{ type: "pong", timestamp: polls }] : [connectedEvent];
            setTimeout(() => answerJSON(response, { events, lastEventId: `token-1.${polls}` }), 200);
          } else response.writeHead(502).end();
          return true;
        },
      });
      const socket = open(t, server.url);
      await connected(socket);
      await assert.rejects(socket.fetchIceServers(), { type: "/problems/unreachable" });
      await until(() => polls > 4);
      socket.disconnect();
    });
  }
});

// Node.js keeps what listens to a signal for a while, and warns of it.
test("each poll has a signal of its own", soon, async (t) => {
  const { fetch } = globalThis;
  const signals = [];
  setGlobals(t, {
    fetch: (url, init) => {
      if (url.includes("/poll")) signals.push(init.signal);
      return fetch(url, init);
    },
  });
  const server = await startServer(t, {
    read: (response, { url }) => {
      if (!url.startsWith("/events/poll")) return response.writeHead(502).end() ?? true;
      const hello = { type: "connected", socketId: "id-1", token: "token-1", resumed: false, heartbeatInterval: 10_000, resumeWindow: 10_000 };
      setTimeout(() => answerJSON(response, { events: [hello], lastEventId: "token-1.1" }), 10);
      return true;
    },
  });
  const socket = open(t, server.url);
  await connected(socket);
  await until(() => signals.length > 10);
  assert.equal(new Set(signals).size, signals.length);
  socket.disconnect();
  const last = signals.length;
  await socket.connect().emitWithAck("ping");
  assert.equal(signals[last - 1].aborted, true, "disconnect() ends the poll that waits");
});

// What React Native has: no bodies of streams, and no answer before its end.
test("React Native connects and polls", soon, async (t) => {
  const { URL } = globalThis;
  class Response {}
  class PartialURL extends URL {
    get hash() { return ""; }
    get search() { return ""; }
  }
  class Signal {
    aborted = false;
    listeners = [];
    addEventListener(type, listener) { this.listeners.push(listener); }
  }
  class AbortController {
    signal = new Signal();
    abort() {
      if (this.signal.aborted) return;
      this.signal.aborted = true;
      for (const listener of this.signal.listeners) listener({ type: "abort" });
    }
  }
  const gone = ["EventSource", "Blob", "TextDecoder", "TextEncoder", "crypto", "addEventListener", "document", "location", "localStorage"];
  const answers = [];
  const server = await startServer(t, {
    read: (response, { url }) => {
      if (!url.startsWith("/events/poll")) return true; // a stream never ends
      const { searchParams } = new URL(`http://host${url}`);
      const after = Number(searchParams.get("after"));
      const connectedEvent = { type: "connected", socketId: "id-1", token: "token-1", resumed: false, heartbeatInterval: 10_000, resumeWindow: 10_000 };
      const events = after ? [{ type: "signal", from: "x", data: after }] : [connectedEvent];
      setTimeout(() => answerJSON(response, { events, lastEventId: `token-1.${after + 1}` }), 20);
      answers.push(after);
      return true;
    },
  });
  setGlobals(t, {
    ...Object.fromEntries(gone.map((name) => [name, undefined])),
    Response, URL: PartialURL, AbortController, navigator: { product: "ReactNative" },
    fetch: async (url, { method, headers, body } = {}) => {
      const asked = request(url, { method, headers }).end(body);
      const [response] = await once(asked, "response");
      const { statusCode: status, headers: fields } = response;
      let text = "";
      for await (const chunk of response) text += chunk;
      return { ok: status < 300, status, headers: { get: (name) => fields[name.toLowerCase()] ?? null }, json: async () => JSON.parse(text) };
    },
  });
  const begin = Date.now();
  const socket = open(t, new PartialURL(server.url));
  const heard = [];
  socket.on("signal", ({ data }) => heard.push(data));
  await connected(socket);
  assert.ok(Date.now() - begin < 3000, "without trying streams first");
  await socket.emitWithAck("signal", { data: "é".repeat(10) });
  await until(() => heard.length > 3);
  assert.deepEqual(heard.slice(0, 3), [1, 2, 3]);
  assert.equal(socket.io.engine.transport.name, "polling");
});

test.describe("pages that hide and return:", soon, () => {
  class PageEvent extends Event {
    constructor(type, persisted) {
      super(type);
      this.persisted = persisted;
    }
  }
  // Makes Node.js a page with this navigator.
  function makePage(t, navigator) {
    const page = new EventTarget();
    setGlobals(t, { addEventListener: page.addEventListener.bind(page), navigator });
    return (type, persisted = true) => page.dispatchEvent(new PageEvent(type, persisted));
  }
  const goodbyes = (server) => server.sent().filter(({ type }) => type === "disconnect").map(({ token }) => token);

  const navigators = {
    "no navigator": undefined,
    "no sendBeacon": {},
    "a beacon that is not taken": { sendBeacon: () => false },
    "a beacon that throws": { sendBeacon: () => { throw new TypeError("forbidden"); } },
  };
  for (const [name, navigator] of Object.entries(navigators)) {
    test(`${name}: the page says goodbye by fetch, and comes back once`, soon, async (t) => {
      const dispatch = makePage(t, navigator);
      const server = await startServer(t);
      const socket = open(t, server.url);
      await connected(socket);
      dispatch("pagehide");
      await until(() => goodbyes(server).length);
      assert.deepEqual(goodbyes(server), ["token-1"]);
      assert.match(server.posts[0].headers["content-type"], /^text\/plain/, "no preflight");
      server.drop({ forget: true });
      dispatch("pageshow");
      await connected(socket);
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(server.streams.size, 1);
      assert.equal(server.sessions, 2);
    });
  }

  test("a goodbye that gets lost: the page resumes its session, and is not two members", soon, async (t) => {
    const { fetch } = globalThis;
    const dispatch = makePage(t, {});
    const server = await startServer(t);
    const socket = open(t, server.url);
    await connected(socket);
    setGlobals(t, { fetch: async (url, init) => init?.keepalive ? Promise.reject(new TypeError("refused")) : fetch(url, init) });
    dispatch("pagehide");
    await until(() => !server.streams.size);
    dispatch("pageshow");
    await connected(socket);
    assert.deepEqual([server.sessions, server.streams.size, socket.recovered, socket.id], [1, 1, true, "id-1"]);
  });

  test("a pageshow without a pagehide changes nothing", soon, async (t) => {
    const dispatch = makePage(t, {});
    const server = await startServer(t);
    const socket = open(t, server.url);
    await connected(socket);
    dispatch("pageshow");
    dispatch("pageshow", false);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(server.asked.length, 1);
    assert.equal(socket.connected, true);
  });

  test("a goodbye of disconnect() that the browser refuses to keep alive is sent again", soon, async (t) => {
    const { fetch } = globalThis;
    const server = await startServer(t);
    const socket = open(t, server.url);
    await connected(socket);
    setGlobals(t, { fetch: async (url, init) => init?.keepalive ? Promise.reject(new TypeError("too much")) : fetch(url, init) });
    socket.disconnect();
    await until(() => goodbyes(server).length);
  });
});

test.describe("locks and storage that are forbidden:", soon, () => {
  const locks = {
    "throw": () => { throw new DOMException("no", "SecurityError"); },
    "reject": () => Promise.reject(new DOMException("no", "SecurityError")),
    "never answer": () => never,
  };
  for (const [name, request] of Object.entries(locks)) {
    test(`locks ${name}`, soon, async (t) => {
      if (name === "never answer") hurry(t);
      setGlobals(t, { document: {}, navigator: { locks: { request } }, performance: undefined });
      Object.defineProperty(globalThis, "localStorage", { configurable: true, get() { throw new DOMException("no", "SecurityError"); } });
      t.after(() => delete globalThis.localStorage);
      const server = await startServer(t);
      const socket = open(t, server.url);
      await connected(socket);
      await socket.emitWithAck("ping");
    });
  }
});

test("a clock that is put back does not hide a silent stream", soon, async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1e12 });
  const server = await startServer(t);
  const socket = open(t, server.url);
  await connected(socket);
  t.mock.timers.setTime(1e12 - 3_600_000);
  await until(() => server.asked.length === 2);
});
