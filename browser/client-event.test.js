// Tests what emit makes of its arguments.

import assert from "node:assert/strict";
import test from "node:test";

import { clientEvent } from "./src/client-event.js";

const sdp = { type: "offer", sdp: "v=0" };
const named = { type: "join-room", roomId: "r", userId: "u", metadata: { name: "Alice" } };
const cases = [
  // Numbers, and what else has one obvious text, become strings if the contract wants a string.
  [["join-room", 42, 7], { type: "join-room", roomId: "42", userId: "7" }],
  [["join-room", 42n, true], { type: "join-room", roomId: "42", userId: "true" }],
  [["join-room", { roomId: 1, userId: 2, accessToken: 3, requestId: 4, metadata: { age: 5 } }],
    { type: "join-room", roomId: "1", userId: "2", accessToken: "3", requestId: "4", metadata: { age: 5 } }],
  [["join-room", "r", 7, { metadata: { n: 1 }, requestId: 8 }], { type: "join-room", roomId: "r", userId: "7", metadata: { n: 1 }, requestId: "8" }],
  [["send-message", { message: 42 }], { type: "send-message", message: "42" }],
  [["offer", { target: 5, offer: sdp, userId: 7, n: 1 }], { type: "offer", target: "5", offer: sdp, userId: 7, n: 1 }],
  [["signal", { target: 5, data: 7 }], { type: "signal", target: "5", data: 7 }],
  [["signal", { data: true }], { type: "signal", data: true }],
  // What has no obvious text is left to the server, which says what it expects.
  [["join-room", null, "u"], { type: "join-room" }],
  [["send-message", { message: null }], { type: "send-message", message: null }],
  // A name as third argument of join-room.
  [["join-room", "r", "u", "Alice"], named],
  [["join-room", "r", "u", 42], { ...named, metadata: { name: "42" } }],
  [["join-room", "r", "u", ["Alice"]], { ...named, metadata: { name: "Alice" } }],
  [["join-room", "r", "u", false], { ...named, metadata: { name: "false" } }],
  [["join-room", "r", "u", null], { type: "join-room", roomId: "r", userId: "u" }],
  // What is null stays null: to the server it is absent.
  [["join-room", "r", "u", { metadata: null, accessToken: null, requestId: null }],
    { type: "join-room", roomId: "r", userId: "u", metadata: null, accessToken: null, requestId: null }],
  [["join-room", { roomId: "r", userId: "u", metadata: null }], { type: "join-room", roomId: "r", userId: "u", metadata: null }],
  [["leave-room", { requestId: null }], { type: "leave-room", requestId: null }],
  [["leave-room", null], { type: "leave-room" }],
  [["signal", { target: null, data: null }], { type: "signal", target: null, data: null }],
  [["join-room", "r", "u", undefined], { type: "join-room", roomId: "r", userId: "u" }],
  [["join-room", "r", "u", { metadata: { name: "Alice" } }], named],
  // No text or list is spread.
  [["send-message", "Hello"], { type: "send-message", message: "Hello" }],
  [["send-message", 7], { type: "send-message", message: "7" }],
  [["offer", "Hello"], { type: "offer", message: "Hello" }],
  [["anything", ["a", "b"]], { type: "anything", message: ["a", "b"] }],
  [["anything"], { type: "anything", message: undefined }],
  [["anything", null], { type: "anything" }],
  // Events without members.
  [["leave-room", "r", "u"], { type: "leave-room", requestId: undefined }],
  [["leave-room", { roomId: "r", requestId: 7 }], { type: "leave-room", requestId: "7" }],
  [["typing-start", true], { type: "typing-start", requestId: undefined }],
  [["ping"], { type: "ping", requestId: undefined }],
  [["join-room", { type: "ping", roomId: "r", userId: "u" }], { type: "join-room", roomId: "r", userId: "u" }],
];

for (const [args, want] of cases) {
  test(`emit(${args.map((arg) => typeof arg === "bigint" ? `${arg}n` : JSON.stringify(arg)).join(", ")})`, () => {
    const sent = (event) => JSON.parse(JSON.stringify(event));
    assert.deepEqual(sent(clientEvent(...args)), sent(want));
  });
}
