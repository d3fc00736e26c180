// What the client says on the console.

const told = new Set();

/**
 * Says it once for all sockets, however often it happens.
 * @param {"info" | "warn"} level
 * @param {string} text
 */
export function tellOnce(level, text) {
  if (!told.has(text)) console[level](`signaling: ${text}`);
  told.add(text);
}
