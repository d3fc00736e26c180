// Reads the server's events until it is stopped. If a rung of the ladder stays silent, the next
// rung is tried. If a reader is cut, another reader resumes the session.
//
// A session is this client's socket on the server: its token, and the position in its events.

import { LAST, NAMES, RUNGS, remember, remembered } from "./ladder.js";
import { backoff, pause } from "./pause.js";
import { takeSlot } from "./slots.js";

const FIRST_WORD = 4000; // ms until a stream must bring its first event
const ANSWER = 15_000; // ms until a poll must be answered; it asks the server to wait 10 s at most
const SOON = 2000; // ms that the start of a stream lasts; a proxy may let that through, and hold back the rest
const SHORT_POLLS = 400; // ms between the polls of a tab without a slot (see slots.js)

// After these reasons the client does not reconnect by itself. Two clients that both resumed
// one session would otherwise take it over from each other for ever.
const FINAL = /kicked|replaced/;

export class Connection {
  session; // what a resume needs: { url, token, position }
  transport; // the name of the rung that is tried, or works

  #tell;
  #options;
  #rung;
  #stop = new AbortController();
  #reading = new AbortController();
  #deadline = Infinity; // the time from which a silent reader counts as dead
  #interval = 10_000;
  #window = 10_000;
  #brokenSince = Date.now(); // 0 while a reader works

  // tell holds the callbacks: opening() before each attempt, back(event) with the first event
  // after a break, event(event) with every event but heartbeats, failed(error) after a failed
  // attempt, lost() when the resume window is over, and over(reason, error) once, at the end.
  constructor(url, options, tell) {
    this.session = { url };
    this.#rung = remembered(url);
    this.#options = options;
    this.#tell = tell;
    this.#run();
  }

  // Ends the connection. No callback is called afterwards.
  stop() {
    this.#stop.abort();
    this.#reading.abort("stopped");
  }

  // Starts a new session, because the server does not know this token any more.
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
    let mutes = 0; // readers in a row that fell silent after their start
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
      else if (heard && mutes === 1) continue; // perhaps the link is dead; the next reader will show it
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

  // Runs one reader to its end. Resolves to { heard, lively, why, wait, error }: whether an
  // event came, whether one came after the start, why this client ended the reader, how long
  // the server asks to wait (ms), and what failed.
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
