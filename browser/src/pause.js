// Waits between attempts.

/**
 * Resolves after this time, or earlier if the network is back or the signal aborts.
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const over = new AbortController();
    const done = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, ms);
    globalThis.addEventListener?.("online", done, over);
    signal.addEventListener("abort", done, over);
  });
}

// A random time in ms. Its limit doubles with each attempt, from first to most: clients that
// failed together must not come back together.
export const backoff = (attempt, first = 1000, most = 15_000) => Math.random() * Math.min(first * 2 ** attempt, most);
