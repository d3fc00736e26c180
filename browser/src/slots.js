// Over HTTP/1.1 a browser opens six connections to a host, for all tabs together, and each
// stream holds one. So the tabs of one origin share four slots by Web Locks. Two connections
// remain for POSTs, and for the short polls of the tabs without a slot.

import { tellOnce } from "./console.js";

const SLOTS = 4;

// HTTP/2 and HTTP/3 carry all streams over one connection.
const isMultiplexed = (url) => /** @type {PerformanceResourceTiming[] | undefined} */ (globalThis.performance?.getEntries?.())
  ?.some(({ name, nextHopProtocol }) => name.startsWith(url) && /^h[23]/.test(nextHopProtocol));

// Resolves to a function that gives the slot back, or to undefined if no slot is free. Rejects if
// locks are forbidden, such as in the frame of a sandbox.
export async function takeSlot(url) {
  const locks = globalThis.document && globalThis.navigator?.locks;
  // Without locks, tabs cannot be counted: each takes what it needs.
  if (!locks || isMultiplexed(url)) return () => {};
  for (let number = 0; number < SLOTS; number++) {
    const slot = await new Promise((resolve, reject) => {
      locks.request(`${url} ${number}`, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise(resolve); // hands out the function that gives the lock back
      }).catch(reject);
    });
    if (slot) return slot;
  }
  tellOnce("info", `this tab polls: other tabs hold the HTTP/1.1 connections to ${url}. HTTP/2 has room.`);
}
