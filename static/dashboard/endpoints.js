// Reads the monitoring endpoints of the server.

import { server, within } from "../assets/page.js";
import { token } from "./operator.js";
import { nodeOf, parseMetrics, sumOf } from "./prometheus.js";

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

// An extension may block a single path, so an error names the path.
async function ask(path, read, signal) {
  try {
    return await askInTime(path, read, signal);
  } catch (failure) {
    if (failure instanceof Closed) throw failure;
    throw Object.assign(new Error(`${path}: ${failure.message}`), { path });
  }
}

function askInTime(path, read, signal) {
  return within(TIMEOUT, async (ending) => {
    const headers = { "Accept": "application/json, text/plain;q=0.9" };
    if (token()) headers["Authorization"] = `Bearer ${token()}`;
    const response = await fetch(server + path, { headers, signal: ending });
    if (CLOSED.includes(response.status)) throw new Closed(response, await response.json());
    if (!response.ok) throw new Error(`status ${response.status}`);
    return read(response);
  }, signal);
}

// Something on the way may answer in place of the server. Its answers have other members.
const asJSON = (member) => async (response) => {
  const answer = await response.json();
  if (!(member in Object(answer))) throw new Error("something else has answered");
  return answer;
};
const asText = (response) => response.text();

// Reads all figures at one moment.
export async function readFigures() {
  const stats = await ask("/stats", asJSON("totalConnections")); // first and alone, so that a wrong token counts as one guess
  const [text, health] = await Promise.all([ask("/metrics", asText), ask("/health", asJSON("status"))]);
  const metrics = parseMetrics(text);
  const [cluster, webhooks] = await Promise.all([
    nodeOf(metrics) ? ask("/cluster", asJSON("nodes")) : null,
    sumOf(metrics, "signaling_webhooks_sending") === null ? null : ask("/webhooks", asJSON("enabled")),
  ]);
  return { time: Date.now(), metrics, health, stats, cluster, webhooks };
}

// Reads one page of a list, and the cursor of the next page (null after the last).
export async function readPage({ path, items }, { query, cursor, limit, signal }) {
  const terms = new URLSearchParams({ limit });
  if (query) terms.set("q", query);
  if (cursor) terms.set("cursor", cursor);
  return ask(`${path}?${terms}`, async (response) => ({
    page: await asJSON(items)(response),
    next: nextCursor(response.headers.get("Link")),
  }), signal);
}

function nextCursor(link) {
  const [, target] = link?.match(/<([^>]+)>; rel="next"/) ?? [];
  return target ? new URL(target, location.href).searchParams.get("cursor") : null;
}
