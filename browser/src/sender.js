// Sends the events of a session in order. One POST is under way at a time, so that no candidate
// overtakes its offer. The events that wait meanwhile go as one batch.

import { Problem, readProblem, sessionEnded, unreachable } from "./problem.js";
import { addressOf, headersOf } from "./request.js";
import { backoff, pause, within } from "./pause.js";

const MAX_BATCH = 64; // events
const MAX_LENGTH = 20_000; // the server accepts 64 KiB, and a UTF-16 unit may take three bytes
const PATIENCE = 15_000; // ms to wait for an answer; a repeat with the same key does no harm
const ATTEMPTS = 12; // if a proxy or a limit refuses; if nothing answers, or nodes do not reach each other, it tries for ever
const TROUBLE = 2000; // ms without a POST that reaches the server, until this is reported
const PARTING_ATTEMPTS = 3; // after close, whether a proxy answers or nothing does

export class Sender {
  /** @type {any} */
  connection; // the Connection that reads the session; there is one before the first token

  #server;
  #token;
  #waiting = [];
  #maxBatch = MAX_BATCH;
  #running; // whether a loop sends what waits
  #closed; // whether no more events come
  #keys = 0;
  #attempt; // aborts the POST under way, and the wait for the next
  #failingSince; // since when no POST reaches the server; 0 or undefined if the last did
  #lastSign; // when this session last sent anything; 0 before its first heartbeat, NaN during one

  // While nothing reads the session, events wait: a POST whose answer is lost with the session could
  // never be repeated.
  constructor(server) {
    this.#server = server;
  }

  // Begins a session, in which run sends what waits. Events that were posted in the session before, but not
  // answered, are not repeated: they may have arrived.
  begin(token) {
    this.#token = token;
    this.#lastSign = 0;
    this.#attempt?.abort();
  }

  // Resolves when the server has accepted the event. Rejects with a Problem, or with an Error
  // after this time (ms): an event that was not posted by then is never sent.
  send(event, first, ms) {
    return new Promise((resolve, reject) => {
      const json = JSON.stringify(event);
      const item = { event, json, first, resolve, reject };
      if (ms) {
        setTimeout(() => {
          this.#waiting = this.#waiting.filter((each) => each !== item);
          reject(new Error("operation has timed out"));
        }, ms);
      }
      // First does not mean before a leave-room: the last of both wins.
      const at = first ? this.#waiting.map(({ event }) => event.type).lastIndexOf("leave-room") + 1 : this.#waiting.length;
      this.#waiting.splice(at, 0, item);
      this.run();
    });
  }

  // Tells the server that this client is alive, unless a POST has told it within this time (ms). A
  // server that does not know the event is not asked again in this session.
  async heartbeat(lately) {
    const token = this.#token;
    if (!(Math.abs(Date.now() - this.#lastSign) >= lately)) return; // the clock may be put back
    this.#lastSign = NaN;
    const isUnknown = await this.send({ type: "heartbeat" }).catch(({ status }) => status === 422);
    if (isUnknown !== true && token === this.#token) this.#lastSign = Date.now();
  }

  // Sends what waits, and then ends. Without a session it rejects what waits.
  close() {
    this.#closed = true;
    if (!this.#token) this.#reject(this.#waiting.splice(0), sessionEnded());
    this.run();
  }

  async run() {
    if (this.#running) return;
    this.#running = true;
    await null; // events that are emitted together leave as one batch
    while (this.#token && this.#waiting.length && (this.#closed || !this.connection.brokenSince)) await this.#post(this.#take());
    this.#running = false;
  }

  #take() {
    let length = 0;
    const fitting = this.#waiting.slice(0, this.#maxBatch).filter(({ json }, index) => (length += json.length + 1) <= MAX_LENGTH || !index);
    return this.#waiting.splice(0, fitting.length);
  }

  async #post(items) {
    const token = this.#token;
    const single = items.length === 1;
    const body = single ? items[0].json : `{"events":[${items.map(({ json }) => json)}]}`;
    const url = addressOf(this.#server, single ? "events" : "events/batch");
    let key = ++this.#keys;
    let unsure = false; // whether an attempt may have arrived without an answer

    for (let attempt = 0; token === this.#token; attempt++) {
      const { signal } = this.#attempt = new AbortController();
      const began = Date.now();
      this.#lastSign &&= began;
      let results;
      /** @type {any} */
      let problem = unreachable(this.#server.uri);
      await within(PATIENCE, async () => {
        const response = await fetch(url, {
          method: "POST",
          headers: headersOf(this.#server, token, {
            "Content-Type": "application/json", "Idempotency-Key": key, "Last-Event-ID": this.connection.session.position,
          }),
          body,
          signal,
          keepalive: this.#closed && !attempt, // the page may unload right after disconnect(); browsers refuse too much of it
        });
        // A captive portal answers everything with 200, but not with JSON.
        if (response.status === 202) results = [response];
        else if (response.ok && !single) ({ results } = await response.json());
        else problem = await readProblem(response, this.#server.uri);
      }, this.#attempt).catch(() => {}); // the problem is that no answer came
      if (results?.length === items.length) {
        this.#failingSince = 0;
        return items.forEach(({ resolve, reject }, index) => {
          const { status } = results[index];
          if (status === 202) resolve({ status });
          else reject(new Problem(results[index]));
        });
      }

      const { status, type } = problem;
      const ours = !/blank|reach/.test(type); // not that of a proxy
      const unknown = status === 504 || !ours && !/^4/.test(status);
      unsure ||= unknown;
      if (ours && status === 401 && token === this.#token) {
        this.#token = undefined;
        this.connection.renew();
      }
      if (token !== this.#token) break;
      // One lost POST need not be reported, unless it hangs. If the link is down, the reader reports it.
      if (ours || this.#closed || this.connection.brokenSince || this.connection.worksSince > began) this.#failingSince = 0;
      else if (Date.now() - TROUBLE > (this.#failingSince ||= began)) this.connection.tell.failed(problem);
      const passes = unknown || status === 503 || status === 429 && !/overflow/.test(type);
      if (!passes && !single && (ours || !unsure)) {
        // A proxy may block batches, or the server cannot read one event. Single events go through.
        this.#maxBatch = 1;
        this.#waiting.unshift(...items);
        return;
      }
      if (!passes || attempt >= (this.#closed ? PARTING_ATTEMPTS : /reach|ready|outcome/.test(type) ? Infinity : ATTEMPTS)) {
        return this.#reject(items, problem);
      }
      // For the same key the server would repeat its refusal. But only by the key it knows an earlier
      // attempt, which may have arrived.
      if (!unsure) key = ++this.#keys;
      await pause(problem.retryAfter || backoff(attempt), signal);
    }

    // The session is lost. A join does no harm twice, and a new session is in no room.
    let at = this.#waiting.filter(({ first }) => first).length;
    for (const item of items) {
      if (!this.#closed && (!unsure || item.event.type === "join-room")) this.#waiting.splice(at++, 0, item);
      else item.reject(sessionEnded());
    }
  }

  #reject(items, problem) {
    for (const { reject } of items) reject(problem);
  }
}
