// node --test room.test.js

import assert from "node:assert/strict";
import test from "node:test";
import { Emitter } from "./src/emitter.js";
import { joinRoom } from "./src/peers.js";
import { Problem } from "./src/problem.js";

// A socket whose server does what the test says.
class FakeSocket extends Emitter {
  io = new Emitter();
  id = "me";
  active = true;
  recovered = false;
  iceServers = [];
  sent = []; // [type, members, answer]

  emit(type, members, answer) {
    this.sent.push([type, members, answer]);
    return this;
  }

  receive(type, event) {
    this.tell(type, event);
  }

  get types() {
    return this.sent.map(([type]) => type).join(" ");
  }

  // Answers the newest join as the server does.
  admit(users = [{ userId: "Ada", socketId: this.id }], names = {}) {
    const [, { roomId, userId, requestId }, answer] = this.sent.findLast(([type]) => type === "join-room");
    answer({ status: 202 });
    this.receive("room-joined", { roomId, userId, requestId, users, timestamp: "2026-03-01T12:00:00.000Z", ...names });
  }
}

const settled = (joining) => joining.then(() => "joined", ({ name, message }) => `${name}: ${message}`);
const isPending = async (joining) => await Promise.race([joining, new Promise((resolve) => setTimeout(resolve, 5, "pending"))]) === "pending";

test("a join waits while the server cannot be reached", async () => {
  const socket = new FakeSocket();
  const joining = settled(joinRoom(socket, "a", { userId: "Ada" }));
  socket.tell("connect_error", new Problem({ type: "/problems/unreachable", title: "cannot be reached" }));
  socket.tell("connect_error", new Problem({ status: 502, title: "answers with status 502" }));
  assert.ok(await isPending(joining));
  socket.admit();
  assert.equal(await joining, "joined");
});

test("a join fails at an address of something else, and says so", async () => {
  for (const status of [200, 404]) {
    const socket = new FakeSocket();
    const joining = settled(joinRoom(socket, "a", { userId: "Ada" }));
    socket.tell("connect_error", new Problem({ status, title: "not a signaling server" }));
    assert.equal(await joining, "Problem: not a signaling server");
    assert.equal(socket.types, "join-room leave-room", "nothing joins later");
  }
});

test("a room outlives a proxy that answers in place of the server for a while", async () => {
  const socket = new FakeSocket();
  const joining = joinRoom(socket, "a", { userId: "Ada" });
  socket.admit();
  const room = await joining;
  socket.tell("connect_error", new Problem({ status: 404, title: "a proxy" }));
  assert.equal(room.members.size, 1);
});

test("what comes before the answer belongs to an earlier room", async () => {
  const socket = new FakeSocket();
  const joining = settled(joinRoom(socket, "a", { userId: "Ada" }));
  socket.receive("room-joined", { roomId: "a", userId: "Ada", users: [], requestId: "another" });
  socket.receive("room-left", { roomId: "a", reason: "left" });
  socket.receive("user-connected", { userId: "Bob", socketId: "bob" });
  assert.ok(await isPending(joining));
  socket.admit();
  assert.equal(await joining, "joined");
});

test("a session that is lost before the answer is followed by another join", async () => {
  const socket = new FakeSocket();
  const joining = settled(joinRoom(socket, "a", { userId: "Ada" }));
  socket.sent[0][2](new Problem({ type: "/problems/session-ended", title: "ended" }));
  assert.ok(await isPending(joining));
  assert.equal(socket.types, "join-room join-room");
  socket.admit();
  assert.equal(await joining, "joined");
});

test("a new session joins again, and a resumed session does not", async () => {
  const socket = new FakeSocket();
  const joining = joinRoom(socket, "a", { userId: "Ada" });
  socket.admit();
  const room = await joining;
  socket.recovered = true;
  socket.tell("connect");
  assert.equal(socket.types, "join-room");
  socket.recovered = false;
  socket.id = "anew";
  socket.tell("connect");
  assert.equal(socket.types, "join-room join-room");
  socket.admit();
  assert.deepEqual([...room.members.keys()], ["anew"]);
});

test("a page that joins by every connect has one room", async () => {
  const socket = new FakeSocket();
  const ended = [];
  let joining;
  socket.on("connect", () => {
    joining = joinRoom(socket, "a", { userId: "Ada" }).then((room) => room.on("end", (reason) => ended.push(reason)));
  });
  socket.tell("connect");
  socket.admit();
  await joining;
  socket.tell("connect");
  assert.equal(socket.types, "join-room join-room", "one for each session");
  socket.admit();
  await joining;
  assert.deepEqual(ended, ["replaced"]);
});

test("without WebRTC a caller hears so, and so does the page", async () => {
  const socket = new FakeSocket();
  const joining = joinRoom(socket, "a", { userId: "Ada" });
  socket.admit([{ userId: "Bob", socketId: "bob" }, { userId: "Ada", socketId: "me" }]);
  const room = await joining;
  const errors = [];
  room.on("error", (error) => errors.push(error.name));
  socket.receive("offer", { type: "offer", from: "bob", offer: { type: "offer", sdp: "v=0" }, fromConnection: "c1" });
  assert.deepEqual(errors, ["NotSupportedError"]);
  assert.deepEqual(socket.sent.at(-1)[1], { target: "bob", data: { type: "hangup", connections: ["c1"], reason: "unsupported" } });
  room.leave();
});

test("a room that is over before the page hears of it fails", async () => {
  const socket = new FakeSocket();
  const joining = settled(joinRoom(socket, "a", { userId: "Ada" }));
  socket.admit();
  socket.receive("room-left", { roomId: "a", reason: "kicked" });
  assert.equal(await joining, "AbortError: The room is over: kicked.");
});

test("a room has the names that the server made of numbers", async () => {
  const socket = new FakeSocket();
  const joining = joinRoom(socket, /** @type {any} */ (101), { userId: /** @type {any} */ (7) });
  socket.admit([{ userId: "7", socketId: "me" }], { roomId: "101", userId: "7" });
  const room = await joining;
  assert.deepEqual([room.roomId, room.userId], ["101", "7"]);
});

test("a join that cannot be sent fails, and the socket leaves the room before", { timeout: 5000 }, async () => {
  const socket = new FakeSocket();
  joinRoom(socket, "a", { userId: "Ada" }).catch(() => {});
  socket.admit();
  const joining = settled(joinRoom(socket, "b", { userId: "Ada", metadata: { id: 1n } }));
  socket.sent.at(-1)[2](new TypeError("Do not know how to serialize a BigInt"));
  assert.equal(await joining, "TypeError: Do not know how to serialize a BigInt");
  assert.equal(socket.types, "join-room join-room leave-room");
});
