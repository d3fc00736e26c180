// Writes figures and lists for people. Pure.

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

export const seconds = (count) => `${count < 10 ? Math.round(count * 10) / 10 : Math.round(count)} s`;

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

export const list = (words) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

// The usual name of a protocol, from the ID that browsers give it.
export const protocolName = (id) =>
  ({ "http/1.0": "HTTP/1.0", "http/1.1": "HTTP/1.1", "h2": "HTTP/2", "h2c": "HTTP/2", "h3": "HTTP/3" })[id] ?? id ?? "unknown";
