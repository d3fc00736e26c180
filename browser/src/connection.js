// Hears the server for as long as it is wanted: goes down the ladder where a way in is
// mute, comes back when one is cut, and goes on with the same session where that lives.

import { LAST, NAMES, RUNGS, remember, remembered } from "./ladder.js";
import { backoff, pause } from "./pause.js";
import { takeSlot } from "./slots.js";

const FIRST_WORD = 4000; // ms in which a stream must have said “connected”
const ANSWER = 15_000; // ms in which a poll must be answered; it asks to wait for 10 s at most
const SOON = 2000; // ms in which a stream says its first words; a proxy may let those through alone
const SHORT_POLLS = 400; // ms between polls where there is no connection for more

// After these the server does not want this client back unasked: two that both resumed
// one session would otherwise take it from each other for ever.
const FINAL = /kicked|replaced/;

export class Connection {
  session; // what is needed to go on: { url, token, position }
  transport; // the name of what is tried, or works

  #tell;
  #options;
  #rung;
  #stop = new AbortController();
  #reading = new AbortController();
  #deadline = Infinity; // when silence means that the reader is dead or mute
  #interval = 10_000;
  #window = 10_000;
  #brokenSince = Date.now(); // 0 while a reader works

  // tell is called with what happens: opening(), back(event) with the first word after a
  // break, event(event), failed(error), lost() and, once, over(reason, error).
  constructor(url, options, tell) {
    this.session = { url };
    this.#rung = remembered(url);
    this.#options = options;
    this.#tell = tell;
    this.#run();
  }

  // Nothing is told afterwards.
  stop() {
    this.#stop.abort();
    this.#reading.abort("stopped");
  }

  // Goes on as a new socket: the server does not know the one with this token.
  renew(token) {
    if (token !== this.session.token) return;
    this.session.token = this.session.position = undefined;
    this.#reading.abort("renewed");
  }

  async #run() {
    const { signal } = this.#stop;
    const { url } = this.session;
    const look = ({ type }) => this.#reading.abort(type);
    const watch = setInterval(() => this.#watch(), 1000);
    for (const type of ["online", "offline"]) globalThis.addEventListener?.(type, look, { signal });

    let giveBack;
    let failures = 0;
    let mutes = 0; // readers in a row that fell silent after their first words
    while (!signal.aborted) {
      giveBack ??= await takeSlot(url);
      if (signal.aborted) break;
      const short = !giveBack;
      const { heard, lively, why, wait, error } = await this.#read(short ? LAST : this.#rung, short);
      if (signal.aborted) break;
      if (heard) failures = 0;
      mutes = why === "silent" && heard && !lively ? mutes + 1 : 0;

      if (wait !== undefined) await pause(wait, signal);
      else if (why === "online") continue;
      else if (short && heard) await pause(SHORT_POLLS, signal);
      else if (heard && mutes === 1) continue; // a dead link, perhaps; the next reader tells
      else if (!short && (!heard || mutes > 1) && this.#rung < LAST && (await this.#read(LAST, true)).heard) this.#rung++;
      else {
        if (!heard) this.#tell.failed(error);
        if (failures >= this.#options.reconnectionAttempts) {
          this.#over("transport error", error);
          break;
        }
        const { reconnectionDelay, reconnectionDelayMax } = this.#options;
        await pause(backoff(failures++, reconnectionDelay, reconnectionDelayMax), signal);
      }
    }
    clearInterval(watch);
    giveBack?.();
  }

  // One reader from its beginning to its end. Answers whether anything was heard, and if so
  // more than the first words, why it was ended from here, and when to come back.
  async #read(rung, short) {
    const reader = this.#reading = new AbortController();
    const { signal } = reader;
    const reading = {};
    const begin = Date.now();
    const patience = (first) => rung === LAST ? ANSWER : first;
    this.#deadline = begin + patience(FIRST_WORD);
    if (!short || !this.transport) this.transport = NAMES[rung];
    if (this.#brokenSince) this.#tell.opening();
    try {
      await RUNGS[rung](this.session, signal, (event, position) => {
        const now = Date.now();
        if (position) this.session.position = position;
        if (!reading.heard && !short) remember(this.session.url, rung);
        reading.heard = true;
        reading.lively = now > begin + SOON;
        if (event.type === "connected") this.#connected(event);
        this.#deadline = now + patience(this.#interval * 1.25);
        this.#receive(event, reading, reader);
      }, short);
    } catch (error) {
      reading.error = error instanceof Error ? error : new Error("the server is silent");
    }
    this.#deadline = Infinity;
    reading.why = signal.reason;
    if (!short || !reading.heard) this.#brokenSince ||= Date.now();
    return reading;
  }

  #connected({ token, heartbeatInterval, resumeWindow }) {
    this.session.token = token;
    this.#interval = heartbeatInterval;
    this.#window = resumeWindow;
  }

  #receive(event, reading, reader) {
    const { type, reason } = event;
    if (this.#stop.signal.aborted) return;
    if (this.#brokenSince) {
      this.#brokenSince = 0;
      this.#tell.back(event);
    }
    if (type !== "heartbeat") this.#tell.event(event);
    if (type !== "disconnected" && type !== "server-shutdown") return;
    if (FINAL.test(reason)) return this.#over("io server disconnect");
    reading.wait = event.retryAfter ?? event.reconnectAfter;
    reader.abort("ended");
  }

  #over(reason, error) {
    this.stop();
    this.#tell.over(reason, error);
  }

  #watch() {
    const now = Date.now();
    if (now > this.#deadline) this.#reading.abort("silent");
    if (this.#brokenSince && now > this.#brokenSince + this.#window) this.#tell.lost();
  }
}
