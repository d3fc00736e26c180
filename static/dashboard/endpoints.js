// Reads the monitoring endpoints of the server.

import { token } from "./operator.js";
import { parseMetrics } from "./prometheus.js";

const TIMEOUT = 5000;

// The statuses that refuse a client that is not an operator, and an address that has sent too many
// wrong tokens. The server does not check tokens from that address.
const CLOSED = [401, 403, 429];

export class Closed extends Error {
  constructor({ status, headers }, { detail }) {
    super(detail);
    this.status = status;
    this.retryAfter = 1000 * (Number(headers.get("Retry-After")) || 0); // milliseconds
  }
}

async function ask(path, signal) {
  const timeout = AbortSignal.timeout(TIMEOUT);
  const headers = { "Accept": "application/json, text/plain;q=0.9" };
  if (token()) headers["Authorization"] = `Bearer ${token()}`;
  const response = await fetch(path, { headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
  if (CLOSED.includes(response.status)) throw new Closed(response, await response.json());
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response;
}

// Reads all figures at one moment.
export async function readFigures() {
  const stats = await ask("/stats").then((response) => response.json()); // first and alone, so that a wrong token counts as one guess
  const [metrics, health] = await Promise.all([
    ask("/metrics").then((response) => response.text()),
    ask("/health").then((response) => response.json()),
  ]);
  return { time: Date.now(), metrics: parseMetrics(metrics), health, stats };
}

// Reads one page of a list, and the cursor of the next page (null after the last).
export async function readPage(path, { query, cursor, limit, signal }) {
  const terms = new URLSearchParams({ limit });
  if (query) terms.set("q", query);
  if (cursor) terms.set("cursor", cursor);
  const response = await ask(`${path}?${terms}`, signal);
  return { page: await response.json(), next: nextCursor(response.headers.get("Link")) };
}

function nextCursor(link) {
  const [, target] = link?.match(/<([^>]+)>; rel="next"/) ?? [];
  return target ? new URL(target, location.href).searchParams.get("cursor") : null;
}
