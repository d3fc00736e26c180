// node --test ice-servers.test.js

import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { IceServers } from "./src/ice-servers.js";

const HOUR = 3_600_000;
const SERVER = Date.parse("2026-03-01T12:00:00.000Z"); // the server's time at the start

const credential = (end) => [{ urls: ["turn:turn.example.com"], username: `${end / 1000}:name`, credential: "secret" }];

// A room's ICE servers on a device whose clock shows this much more than the server's.
function begin({ wrong = 0, ttl = 12 * HOUR, servers = credential(SERVER + ttl), own, fetch }) {
  let passed = 0;
  const ended = new AbortController();
  const socket = {
    fetched: 0,
    iceServers: servers,
    async fetchIceServers() {
      this.fetched++;
      return fetch ? fetch() : this.iceServers = credential(SERVER + passed + ttl);
    },
  };
  const ice = new IceServers(socket, own, ended.signal, () => passed + wrong);
  ice.hear(new Date(SERVER).toISOString());
  return { socket, ice, end: () => ended.abort(), pass: (ms) => passed += ms };
}

for (const [clock, wrong] of [["right", SERVER], ["five hours slow", SERVER - 5 * HOUR], ["five hours fast", SERVER + 5 * HOUR], ["of 1970", 0]]) {
  test(`a credential is fetched anew after half of its time, on a clock that is ${clock}`, async () => {
    const { socket, ice, end, pass } = begin({ wrong });
    assert.equal(ice.isStale(), false);
    pass(5.9 * HOUR);
    assert.equal(ice.isStale(), false);
    pass(0.2 * HOUR);
    assert.equal(ice.isStale(), true);
    await Promise.all([ice.renewed(), ice.renewed()]);
    assert.equal(socket.fetched, 1, "once for all who wait");
    assert.equal(ice.isStale(), false);
    assert.match(ice.servers[0].username, new RegExp(`^${(SERVER + 18.1 * HOUR) / 1000}:`));
    end();
  });
}

test("a timer renews, also what lives for months", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const short = begin({ ttl: HOUR });
    short.pass(HOUR / 2);
    mock.timers.tick(HOUR / 2);
    await null;
    assert.equal(short.socket.fetched, 1);
    short.end();
    const long = begin({ ttl: 9000 * HOUR });
    mock.timers.tick(HOUR);
    assert.equal(long.socket.fetched, 0);
    long.end();
  } finally {
    mock.timers.reset();
  }
});

test("a credential that has ended is fetched anew at once", async () => {
  const { socket, ice, end } = begin({ servers: credential(SERVER - HOUR) });
  assert.equal(ice.isStale(), true);
  await ice.renewed();
  assert.equal(socket.fetched, 1);
  end();
});

test("servers of a new session count, and are not fetched", () => {
  const { socket, ice, end, pass } = begin({ ttl: HOUR });
  pass(HOUR);
  socket.iceServers = credential(SERVER + 2 * HOUR);
  assert.equal(ice.isStale(), false);
  end();
});

test("what does not expire is not fetched", () => {
  for (const servers of [[], [{ urls: ["stun:stun.example.com"] }], [{ urls: [], username: "fixed", credential: "x" }]]) {
    const { socket, ice, end, pass } = begin({ servers });
    pass(1000 * HOUR);
    assert.equal(ice.isStale(), false);
    assert.equal(ice.servers, socket.iceServers);
    end();
  }
});

test("an app's own servers stay", () => {
  const own = credential(SERVER - HOUR);
  const { ice, end } = begin({ own });
  assert.equal(ice.isStale(), false);
  assert.equal(ice.servers, own);
  end();
});

test("a server that is away does not stop the call", async () => {
  const { socket, ice, end } = begin({ servers: credential(SERVER - HOUR), fetch: () => Promise.reject(new Error("away")) });
  await ice.renewed();
  assert.equal(ice.servers, socket.iceServers);
  end();
});

test("a server that does not answer holds the call up for five seconds", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const { ice, end } = begin({ servers: credential(SERVER - HOUR), fetch: () => new Promise(() => {}) });
    const waiting = ice.renewed();
    mock.timers.tick(5000);
    await waiting;
    end();
  } finally {
    mock.timers.reset();
  }
});
