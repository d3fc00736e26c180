// Tests which server an address means, on a page and without a page.

import assert from "node:assert/strict";
import test from "node:test";

import { readAddress } from "./src/address.js";
import { io } from "./src/client.js";

const PAGES = { http: "http://localhost:5173/app/?x#y", https: "https://app.example/", file: "file:///home/page.html", blob: "blob:http://localhost/1" };

function onPage(t, location) {
  Object.defineProperty(globalThis, "location", { configurable: true, get: location });
  t.after(() => delete globalThis.location);
}

// Each address, and what it means on a page of http and of https.
const addresses = [
  [undefined, "http://localhost:5173/", "https://app.example/"],
  [null, "http://localhost:5173/", "https://app.example/"],
  ["", "http://localhost:5173/", "https://app.example/"],
  ["/", "http://localhost:5173/", "https://app.example/"],
  ["/below/", "http://localhost:5173/below/", "https://app.example/below/"],
  ["localhost:3100", "http://localhost:3100/", "https://localhost:3100/"],
  ["host", "http://host/", "https://host/"],
  ["host/below?x=1#y", "http://host/below/", "https://host/below/"],
  ["//host", "http://host/", "https://host/"],
  ["//host:8080//below//", "http://host:8080/below/", "https://host:8080/below/"],
  ["http://host//", "http://host/", "http://host/"],
  ["http://host:3000/a//b?x=1#y", "http://host:3000/a/b/", "http://host:3000/a/b/"],
  ["ws://host:1", "http://host:1/", "http://host:1/"],
  ["wss://host/below", "https://host/below/", "https://host/below/"],
  ["WSS://Host", "https://Host/", "https://Host/"],
  [" https://host ", "https://host/", "https://host/"],
  ["https://user:password@host", "https://host/", "https://host/"],
  ["https://[::1]:3000", "https://[::1]:3000/", "https://[::1]:3000/"],
  [new URL("https://host/below?x"), "https://host/below/", "https://host/below/"],
  ["ftp://host", undefined, undefined],
  ["file:///x", undefined, undefined],
];

for (const [address, ...want] of addresses) {
  test(`io(${typeof address === "string" ? `"${address}"` : address})`, (t) => {
    const got = ["http", "https"].map((page) => {
      onPage(t, () => new URL(PAGES[page]));
      return io(address, { autoConnect: false }).io.uri;
    });
    assert.deepEqual(got, want);
  });
}

test("the option path says where the server is, unless it is that of Socket.IO", () => {
  for (const path of ["below", "/below", "/below/"]) assert.equal(readAddress("http://host/namespace", path), "http://host/below/");
  for (const path of [undefined, "", "/socket.io", "/socket.io/"]) assert.equal(readAddress("http://host/own", path), "http://host/own/");
});

// Servers render pages without a location. Deno throws for it, and workers of a blob have one that
// is of no use.
const nowhere = {
  "no location": () => undefined,
  "a location that throws": () => { throw new ReferenceError("no location"); },
  "a page of a file": () => new URL(PAGES.file),
  "a worker of a blob": () => new URL(PAGES.blob),
};

for (const [name, location] of Object.entries(nowhere)) {
  test(`${name}: an address is needed, and its absence is reported`, { timeout: 10_000 }, async (t) => {
    onPage(t, location);
    const warnings = [];
    t.mock.method(console, "warn", (text) => warnings.push(text));
    for (const make of [() => io(), () => io({}), () => io(null), () => io("ftp://host"), () => io("/path")]) {
      const socket = make();
      const error = await new Promise((resolve) => socket.on("connect_error", resolve));
      assert.match(error.message, /^No signaling server answered a request to "[^"]*" \(status none\): give io\(\) its address/);
      assert.deepEqual([socket.active, socket.connected], [false, false]);
      socket.disconnect();
    }
    assert.deepEqual(warnings, []);
    for (let n = 0; n < 3; n++) io(`ftp://${name}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(warnings.length, 1, "once for all sockets");

    const socket = io({ autoConnect: false });
    assert.equal(socket.active, false);
    const fetches = t.mock.method(globalThis, "fetch", async () => { throw new TypeError("not here"); });
    const server = io("localhost:3002", { reconnection: false });
    await new Promise((resolve) => server.io.on("reconnect_failed", resolve));
    assert.match(String(fetches.mock.calls[0].arguments[0]), /^http:\/\/localhost:3002\/events\?_=/);
  });
}
