// node --test camera.test.js

import assert from "node:assert/strict";
import test from "node:test";
import { openCamera } from "./src/camera.js";

// Runs openCamera in a browser that has these devices.
async function messageIn({ mediaDevices, isSecureContext = true, featurePolicy, origin = "https://example.com" }) {
  const was = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  Object.assign(globalThis, { isSecureContext, origin, document: { featurePolicy } });
  try {
    return await openCamera().then(() => "opened", ({ name, message }) => `${name}: ${message}`);
  } finally {
    if (was) Object.defineProperty(globalThis, "navigator", was);
    else delete globalThis.navigator;
    delete globalThis.isSecureContext;
    delete globalThis.origin;
    delete globalThis.document;
  }
}

const failing = (name, message = "as the browser says") => ({
  getUserMedia: () => Promise.reject(Object.assign(new Error(message), { name })),
});

test("a page by http hears of https", async () => {
  assert.match(await messageIn({ isSecureContext: false }), /^SecurityError: A camera needs https/);
});

test("a browser without cameras is named", async () => {
  assert.match(await messageIn({}), /^NotSupportedError: This browser gives pages no camera/);
  assert.match(await messageIn({ mediaDevices: {} }), /^NotSupportedError/);
});

for (const [name, advice] of Object.entries({
  NotAllowedError: "allow it",
  NotFoundError: "plug it in",
  NotReadableError: "close that program",
  OverconstrainedError: "use ideal",
  AbortError: "restart the browser",
  SecurityError: "allow them",
  TypeError: "Ask for video, audio or both",
  UnheardOfError: "as the browser says",
})) {
  test(`${name} says what to do`, async () => {
    const message = await messageIn({ mediaDevices: failing(name) });
    assert.ok(message.startsWith(`${name}: `), message);
    assert.ok(message.includes(advice), message);
  });
}

test("older browsers have other names", async () => {
  assert.match(await messageIn({ mediaDevices: failing("TrackStartError") }), /^NotReadableError: Another program/);
  assert.match(await messageIn({ mediaDevices: failing("DevicesNotFoundError") }), /^NotFoundError/);
  assert.match(await messageIn({ mediaDevices: failing("PermissionDeniedError") }), /^NotAllowedError/);
});

test("a frame that may not use the camera hears what it needs", async () => {
  const featurePolicy = { allowsFeature: () => false };
  assert.match(await messageIn({ mediaDevices: failing("NotAllowedError"), featurePolicy }), /<iframe> needs allow=/);
});

test("a sandboxed frame hears what it needs", async () => {
  assert.match(await messageIn({ mediaDevices: failing("SecurityError"), origin: "null" }), /<iframe> needs sandbox="allow-scripts allow-same-origin"/);
});

test("nothing is thrown on a server", async () => {
  await assert.rejects(openCamera(), { name: "NotSupportedError" });
});
