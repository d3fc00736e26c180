// Sends the events of a session in order. One POST is under way at a time, so that no candidate
// overtakes its offer. The events that wait meanwhile go as one batch.

import { Problem, isOurs, readProblem, sessionEnded, unreachable } from "./problem.js";
import { backoff, pause } from "./pause.js";

const MAX_BATCH = 64; // events
const MAX_BYTES = 60_000; // the server accepts 64 KiB
const PATIENCE = 15_000; // ms to wait for an answer; a repeat with the same key does no harm
const ATTEMPTS = 12; // if a proxy answers in place of the server; if nothing answers, it tries for ever
const PARTING_ATTEMPTS = 3; // after close, whether a proxy answers or nothing does

const size = (text) => new Blob([text]).size;

export class Sender {
  #url;
  #onUnknown;
  #token;
  #waiting = [];
  #maxBatch = MAX_BATCH;
  #running = false;
  #closed = false;
  #keys = 0;
  #attempt; // aborts the POST under way, and the wait for the next

  // onUnknown is called with a token that the server does not know any more.
  constructor(url, onUnknown) {
    this.#url = url;
    this.#onUnknown = onUnknown;
  }

  // Sends what waits in this session. Events that were posted in the session before, but not
  // answered, are not repeated: they may have arrived.
  begin(token) {
    this.#token = token;
    this.#attempt?.abort();
    this.#run();
  }

  // Resolves when the server has accepted the event. Rejects with a Problem, or with an Error
  // after this time (ms): an event that was not posted by then is never sent.
  send(event, first, ms) {
    return new Promise((resolve, reject) => {
      const json = JSON.stringify(event);
      const item = { json, bytes: size(json), resolve, reject };
      if (ms) {
        setTimeout(() => {
          this.#waiting = this.#waiting.filter((each) => each !== item);
          reject(new Error("operation has timed out"));
        }, ms);
      }
      if (first) this.#waiting.unshift(item);
      else this.#waiting.push(item);
      this.#run();
    });
  }

  // Sends what waits, and then ends. Without a session it rejects what waits.
  close() {
    this.#closed = true;
    if (!this.#token) this.#reject(this.#waiting.splice(0), sessionEnded());
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    await null; // events that are emitted together leave as one batch
    while (this.#token && this.#waiting.length) await this.#post(this.#take());
    this.#running = false;
  }

  #take() {
    let bytes = 0;
    const end = this.#waiting.findIndex((item, index) => (bytes += item.bytes + 1) > MAX_BYTES && index > 0);
    return this.#waiting.splice(0, Math.min(end < 0 ? Infinity : end, this.#maxBatch));
  }

  async #post(items) {
    const token = this.#token;
    const single = items.length === 1;
    const body = single ? items[0].json : `{"events":[${items.map(({ json }) => json)}]}`;
    let key = ++this.#keys;
    let unsure = false; // whether an attempt may have arrived without an answer

    for (let attempt = 0; ; attempt++) {
      let problem;
      let ours;
      let wait = backoff(attempt);
      const { signal } = this.#attempt = new AbortController();
      const timer = setTimeout(() => this.#attempt.abort(), PATIENCE);
      try {
        const response = await fetch(this.#url + (single ? "events" : "events/batch"), {
          method: "POST",
          headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", "Idempotency-Key": `${key}` },
          body,
          signal,
          keepalive: this.#closed, // the page may unload right after disconnect()
        });
        // A captive portal answers everything with 200, but not with JSON.
        if (response.status === 202) return this.#settle(items, [response]);
        if (response.ok && !single) return this.#settle(items, (await response.json()).results);
        ours = isOurs(response);
        problem = await readProblem(response);
        wait = Number(response.headers.get("Retry-After")) * 1000 || wait;
      } catch {
        problem = unreachable();
      } finally {
        clearTimeout(timer);
      }

      const { status, type } = problem;
      const unknown = !ours && (status < 400 || status >= 500);
      unsure ||= unknown;
      if (ours && status === 401 && token === this.#token) {
        this.#token = undefined;
        this.#onUnknown(token);
      }
      if (token !== this.#token) {
        if (unsure || this.#closed) this.#reject(items, sessionEnded());
        else this.#waiting.unshift(...items);
        return;
      }
      if (!ours && !unknown && !single) {
        // A proxy that blocks batches may let single events through.
        this.#maxBatch = 1;
        this.#waiting.unshift(...items);
        return;
      }
      const passes = unknown || status === 503 || status === 429 && !/overflow/.test(type);
      const most = this.#closed ? PARTING_ATTEMPTS : status ? ATTEMPTS : Infinity;
      if (!passes || attempt >= most) return this.#reject(items, problem);
      // The server has answered, and would repeat that answer for the same key.
      if (ours) key = ++this.#keys;
      await pause(wait, signal);
    }
  }

  #settle(items, results) {
    items.forEach(({ resolve, reject }, index) => {
      const { status } = results[index];
      if (status === 202) resolve({ status });
      else reject(new Problem(results[index]));
    });
  }

  #reject(items, problem) {
    for (const { reject } of items) reject(problem);
  }
}
