// Waits.

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
    const timer = setTimeout(done, Math.min(ms, 2 ** 31 - 1)); // a timer for a longer time would end at once
    globalThis.addEventListener?.("online", done, over);
    signal.addEventListener("abort", done, over);
  });
}

/**
 * Settles as the promise of the task, or rejects after this time (0: never), or when the controller aborts.
 * Not every platform ends what was aborted: in Node.js 20 and 22 a read may then wait for ever.
 * @template T
 * @param {number} ms
 * @param {(signal: AbortSignal) => Promise<T>} task
 * @returns {Promise<T>}
 */
export async function within(ms, task, controller = new AbortController()) {
  const { signal } = controller;
  const timer = ms && setTimeout(() => controller.abort(), ms);
  try {
    return await Promise.race([task(signal), new Promise((_, reject) => signal.addEventListener("abort", reject))]);
  } finally {
    clearTimeout(timer);
  }
}

// A random time in ms. Its limit doubles with each attempt, from first to most: clients that
// failed together must not come back together.
export const backoff = (attempt, first = 1000, most = 15_000) => Math.random() * Math.min(first * 2 ** attempt, most);
