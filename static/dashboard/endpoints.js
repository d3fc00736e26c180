// What is read from the server: the public endpoints of monitoring, and nothing else.

import { parseMetrics } from "./prometheus.js";

const TIMEOUT = 5000;

async function ask(path, signal) {
  const timeout = AbortSignal.timeout(TIMEOUT);
  const response = await fetch(path, {
    headers: { "Accept": "application/json, text/plain;q=0.9" },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response;
}

// All figures of one moment.
export async function readFigures() {
  const [metrics, health, stats] = await Promise.all([
    ask("/metrics").then((response) => response.text()),
    ask("/health").then((response) => response.json()),
    ask("/stats").then((response) => response.json()),
  ]);
  return { time: Date.now(), metrics: parseMetrics(metrics), health, stats };
}

// One page of a list, and the cursor of the next one, if there is one.
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
