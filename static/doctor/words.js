// Writes figures and lists for people. Pure.

export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  const [unit, size] = ms < 7_200_000 ? ["minutes", 60_000] : ms < 172_800_000 ? ["hours", 3_600_000] : ["days", 86_400_000];
  return `${Math.round(ms / size)} ${unit}`;
}

export const seconds = (count) => `${count < 10 ? Math.round(count * 10) / 10 : Math.round(count)} s`;

export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

export const list = (words) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

// What statuses mean that proxies answer with.
const STATUSES = {
  401: "a token was missing",
  403: "forbidden",
  407: "a proxy wants a password",
  451: "blocked by law",
  502: "a proxy could not reach the server",
  504: "a proxy waited too long",
};

export function answered(request, status, verb = "was") {
  if (status < 400) return `${request} ${verb} answered in place of the server`;
  const meaning = STATUSES[status] ? `: ${STATUSES[status]}` : "";
  return `${request} ${verb} refused with status ${status}${meaning}`;
}

// The usual name of a protocol, from the ID that browsers give it.
export const protocolName = (id) =>
  ({ "http/1.0": "HTTP/1.0", "http/1.1": "HTTP/1.1", "h2": "HTTP/2", "h2c": "HTTP/2", "h3": "HTTP/3" })[id] ?? id ?? "unknown";
