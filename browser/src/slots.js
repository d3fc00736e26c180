// On HTTP/1.1 a browser opens six connections to a host, for all tabs together, and each
// stream holds one. So the tabs of one origin share out four of them by Web Locks, and two
// remain for what is sent, and for the short polls of the tabs that got none.

const SLOTS = 4;

let told = false;

// With HTTP/2 or 3, one connection carries everything.
const isMultiplexed = (url) => ["navigation", "resource"]
  .flatMap((type) => /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByType(type)))
  .some(({ name, nextHopProtocol }) => name.startsWith(url) && /^h[23]/.test(nextHopProtocol));

// Resolves to a function that gives the slot back, or to nothing where none is free.
export async function takeSlot(url) {
  const locks = globalThis.document && navigator.locks;
  // Without locks nobody can be counted: every tab takes what it needs.
  if (!locks || isMultiplexed(url)) return () => {};
  for (let number = 0; number < SLOTS; number++) {
    const slot = await new Promise((resolve) => {
      locks.request(`${url} ${number}`, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise((giveBack) => resolve(giveBack));
      }).catch(() => resolve(null));
    });
    if (slot) return slot;
  }
  if (!told) {
    console.info(`signaling: this tab polls, because other tabs hold the HTTP/1.1 connections to ${url}. HTTP/2 has room for all.`);
    told = true;
  }
}
