// Tests the reader of event streams, with chunks that end anywhere.

import assert from "node:assert/strict";
import test from "node:test";

import { readEvents } from "./src/event-stream.js";

const encoder = new TextEncoder();

async function read(...chunks) {
  const body = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const events = [];
  for await (const event of readEvents(new Response(body))) events.push(event);
  return events;
}

// A stream with everything that it may contain.
const STREAM = [
  "\uFEFF: a comment", "",
  "retry: 1000", "id: me.1", "event: connected", 'data: {"type":"connected","token":"é€🙂"}', "",
  "event: heartbeat", 'data:{"type":"heartbeat"}', "", "",
  "id:me.2", "data: {", 'data:   "type": "signal", "data": "a: b\u2028c"', "data", "data: }", "colon-less", "",
  "id: me.3", 'data: {"type":"never ended"}',
];
const EVENTS = [
  { id: "me.1", data: { type: "connected", token: "é€🙂" } },
  { id: "me.1", data: { type: "heartbeat" } },
  { id: "me.2", data: { type: "signal", data: "a: b\u2028c" } },
];

for (const [name, end] of [["LF", "\n"], ["CRLF", "\r\n"], ["CR", "\r"]]) {
  const bytes = encoder.encode(STREAM.join(end));

  test(`lines end with ${name}, in one chunk`, async () => {
    assert.deepEqual(await read(bytes), EVENTS);
  });

  test(`lines end with ${name}, in two chunks, cut anywhere`, async () => {
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(await read(bytes.subarray(0, at), bytes.subarray(at)), EVENTS, `cut at ${at}`);
    }
  });

  test(`lines end with ${name}, byte by byte, with empty chunks between`, async () => {
    const chunks = Array.from(bytes).flatMap((byte) => [Uint8Array.of(byte), new Uint8Array()]);
    assert.deepEqual(await read(...chunks), EVENTS);
  });

  test(`lines end with ${name}, and an event is there with its blank line, before more comes`, async () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(encoder.encode(`data: 1${end}${end}`)) });
    assert.deepEqual((await readEvents(new Response(body)).next()).value, { data: 1, id: undefined });
  });
}

test("line ends are mixed", async () => {
  assert.deepEqual(await read(encoder.encode("data: 1\r\rdata: 2\r\n\ndata: 3\n\rdata: 4\r\n\r\n")), [1, 2, 3, 4].map((data) => ({ data, id: undefined })));
});

test("an event without data is none", async () => {
  assert.deepEqual(await read(encoder.encode("data\n\ndata: \n\nid: 1\n\nevent: pong\n\ndata: 1\n\n")), [{ data: 1, id: "1" }]);
});
