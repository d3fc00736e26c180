// Compares the public surface with that of socket.io-client 4. DOCS is docs/socket-io.md, whose table
// of differences names what is missing here.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import test from "node:test";

import * as ours from "signaling-server-client";
import * as theirs from "socket.io-client";

const ADDRESS = "http://127.0.0.1:9";
const require = createRequire(import.meta.url);

const [differences] = readFileSync(process.env.DOCS, "utf8").split("## Without the client");
const documented = new Set(differences.split("\n")
  .filter((line) => line.startsWith("| "))
  .flatMap((line) => line.split("|")[1].match(/\w+/g)));

// All names of an object, its own and inherited.
function namesOf(object) {
  const names = new Set();
  for (let o = object; o && o !== Object.prototype && o !== Function.prototype; o = Object.getPrototypeOf(o)) {
    for (const name of Object.getOwnPropertyNames(o)) names.add(name);
  }
  return names;
}

// The names that the types of socket.io-client call private, and those that begin with a low line.
function privateNames(...files) {
  const names = new Set(["constructor", "prototype"]);
  for (const file of files) {
    for (const [, name] of readFileSync(file, "utf8").matchAll(/^\s*(?:private|protected) (?:readonly )?(\w+)/gm)) names.add(name);
  }
  return names;
}

const esm = dirname(require.resolve("socket.io-client")).replace(/cjs$/, "esm");
const isPrivate = privateNames(join(esm, "socket.d.ts"), join(esm, "manager.d.ts"));
isPrivate.add("emitReserved"); // "exposed for subclasses" in the types of the emitter

function compare(their, our, least) {
  const wanted = [...namesOf(their)].filter((name) => !isPrivate.has(name) && !name.startsWith("_"));
  assert.ok(wanted.length >= least, `only ${wanted.length} names were found: ${wanted}`);
  const has = namesOf(our);
  assert.deepEqual(wanted.filter((name) => !has.has(name) && !documented.has(name)), [], "neither here nor in the table of differences");
}

const manager = (client) => new client.Manager(ADDRESS, { autoConnect: false });

test("Socket", () => compare(manager(theirs).socket("/"), manager(ours).socket("/"), 30));
test("Manager", () => compare(manager(theirs), manager(ours), 15));
test("what io holds", () => compare(theirs.io, ours.io, 4));
test("what the module exports", () => {
  const missing = Object.keys(theirs).filter((name) => !(name in ours) && !documented.has(name));
  assert.deepEqual(missing, []);
  assert.equal(ours.protocol, theirs.protocol);
});

// Each method is called as one would call it there, and returns what it returns there.
test("the methods of listeners and flags return what they return in socket.io-client", () => {
  const use = (client) => {
    const socket = manager(client).socket("/");
    const heard = [];
    const kinds = {};
    const note = (name, value) => { kinds[name] = value === socket ? "socket" : value === socket.io ? "manager" : Array.isArray(value) ? value.length : value; };
    const listener = () => {};
    for (const name of ["on", "once", "addEventListener", "onAny", "prependAny", "onAnyOutgoing", "prependAnyOutgoing"]) {
      note(name, /Any/.test(name) ? socket[name](listener) : socket[name]("pong", listener));
    }
    for (const name of ["listeners", "hasListeners", "listenersAny", "listenersAnyOutgoing"]) note(name, socket[name]("pong"));
    for (const name of ["off", "removeListener", "removeEventListener", "removeAllListeners"]) {
      note(name, socket.on("pong", listener)[name]("pong"));
      note(`${name} removed`, socket.hasListeners("pong"));
    }
    for (const name of ["offAny", "offAnyOutgoing"]) note(name, socket[name]());
    note("compress", socket.compress(true));
    note("timeout", socket.timeout(5000));
    note("volatile", socket.volatile);
    note("send", socket.volatile.send("x"));
    note("close", socket.close());
    note("active", socket.active);
    for (const name of ["reconnection", "reconnectionAttempts", "reconnectionDelay", "reconnectionDelayMax"]) {
      note(`${name} set`, socket.io[name](name === "reconnection" ? false : 5));
      note(name, socket.io[name]());
    }
    socket.io.on("reconnect", function (attempt) { heard.push(this === socket.io, attempt); });
    note("a listener's this", heard);
    return kinds;
  };
  assert.deepEqual(use(ours), use(theirs));
});

test("a listener that is undefined by mistake removes no other", () => {
  const socket = manager(ours).socket("/");
  for (const name of ["on", "once"]) socket[name]("pong", () => {});
  assert.equal(socket.off("pong", undefined).listeners("pong").length, 2);
  const listener = () => {};
  socket.off("pong").on("pong", listener).once("pong", listener).off("pong", listener);
  assert.equal(socket.hasListeners("pong"), false);
});

test("io reads addresses as socket.io-client does", async (t) => {
  const { url } = await import(join(esm, "url.js"));
  t.after(() => delete globalThis.location);
  for (const page of ["http://localhost:5173/app/", "https://app.example/"]) {
    globalThis.location = new URL(page);
    for (const address of [undefined, "/", "localhost:3100", "host", "//host", "//host:8080/x", "http://host//", "http://host:3000/a?x#y", "ws://host:1", "wss://host", "https://[::1]:3000", "https://u:p@host/"]) {
      const { protocol, host, port } = url(address);
      const their = new URL(`${protocol.replace("ws", "http")}://${host.includes("::") ? `[${host}]` : host}`);
      their.port = port;
      const our = new URL(ours.io(address, { autoConnect: false }).io.uri);
      assert.equal(our.origin, their.origin, `${address} on ${page}`);
    }
  }
});
