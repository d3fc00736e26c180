// Everything a page sends, in order: one request at a time, so that a candidate
// never overtakes its offer. What queues up meanwhile goes as one batch.
// An outbox belongs to one session; a new session gets a new one.

import { Problem, readProblem } from "./problems.js";

const MAX_BATCH_EVENTS = 32;
const MAX_BATCH_BYTES = 32 * 1024;
const MAX_ATTEMPTS = 6;
const NO_BATCHES = Symbol("no batches");

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// crypto.randomUUID exists in secure contexts only; a demo on a LAN address is none.
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  #token;
  #onUnknownSession;
  #waiting = [];
  #maxBatchEvents = MAX_BATCH_EVENTS;
  #running = false;
  #closed = false;

  constructor(token, onUnknownSession) {
    this.#token = token;
    this.#onUnknownSession = onUnknownSession;
  }

  // Resolves once the server has accepted the event; rejects with a Problem.
  send(event) {
    if (this.#closed) return Promise.reject(sessionEnded());
    return new Promise((resolve, reject) => {
      const json = JSON.stringify(event);
      this.#waiting.push({ json, resolve, reject });
      this.#run();
    });
  }

  close() {
    this.#closed = true;
    for (const item of this.#waiting.splice(0)) item.reject(sessionEnded());
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length) {
      const items = this.#take();
      const outcomes = await this.#post(items);
      if (outcomes === NO_BATCHES) {
        this.#maxBatchEvents = 1;
        this.#waiting.unshift(...items);
        continue;
      }
      items.forEach((item, index) => {
        const problem = outcomes[index];
        if (problem) item.reject(problem);
        else item.resolve();
      });
    }
    this.#running = false;
  }

  #take() {
    let count = 0;
    let bytes = 0;
    for (const { json } of this.#waiting) {
      bytes += json.length;
      if (count && (count === this.#maxBatchEvents || bytes > MAX_BATCH_BYTES)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  // One outcome for each item: undefined where it was accepted, otherwise a Problem.
  // NO_BATCHES where a batch finds no way: a proxy may let /events through and no more.
  async #post(items) {
    const single = items.length === 1;
    const all = (problem) => items.map(() => problem);
    const path = single ? "/events" : "/events/batch";
    const body = single ? items[0].json : `{"events":[${items.map((item) => item.json).join(",")}]}`;
    let key = randomId();

    for (let attempt = 1; !this.#closed; attempt++) {
      let response;
      try {
        response = await fetch(path, {
          method: "POST",
          headers: {
            "Authorization": `Bearer ${this.#token}`,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
          },
          body,
        });
      } catch {
        // The answer was lost, perhaps not the request: the same key makes a repeat harmless.
        if (attempt === MAX_ATTEMPTS) return all(new Problem({ type: "/problems/unreachable" }));
        await wait(Math.min(500 * 2 ** attempt, 5000));
        continue;
      }
      if (response.ok) return single ? [undefined] : await readOutcomes(response, items.length);

      const problem = await readProblem(response);
      if (!single && [403, 404, 405].includes(response.status)) return NO_BATCHES;
      if (response.status === 401) {
        this.#onUnknownSession();
        return all(problem);
      }
      const passing = response.status === 429 || response.status === 503;
      if (!passing || attempt === MAX_ATTEMPTS) return all(problem);
      // This answer was seen, and would be repeated for the same key.
      key = randomId();
      const seconds = Number(response.headers.get("Retry-After")) || attempt;
      await wait(Math.min(seconds * 1000, 10_000));
    }
    return all(sessionEnded());
  }
}

async function readOutcomes(response, count) {
  const body = await response.json().catch(() => ({}));
  const results = Array.isArray(body.results) ? body.results : [];
  return Array.from({ length: count }, (_, index) => {
    const result = results[index];
    return !result || result.status === 202 ? undefined : new Problem(result);
  });
}

function sessionEnded() {
  return new Problem({ type: "/problems/session-ended" });
}
