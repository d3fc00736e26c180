// Tests the socket against a server of the tests.

import assert from "node:assert/strict";
import test from "node:test";

import { answerJSON, refuse, startServer } from "./fake-server.js";
import { io, Problem } from "./src/client.js";

const soon = { timeout: 20_000 };

// Opens a socket that ends with the test.
function open(t, url, options) {
  const socket = io(url, { reconnectionDelay: 20, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

const connected = (socket) => new Promise((resolve) => socket.once("connect", resolve));

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
      if (url !== "/ice-servers") return false;
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
  await assert.rejects(socket.fetchIceServers(), { name: "Problem", type: "/problems/unreachable" });
  await assert.rejects(socket.fetchIceServers(), { name: "Problem", type: "/problems/unreachable" });
  assert.deepEqual(socket.iceServers, fresh);
});
