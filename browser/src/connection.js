// Reads the server's events until it is stopped. If a rung of the ladder stays silent, the next
// rung is tried. If a reader is cut, another reader resumes the session.
//
// A session is this client's socket on the server: its token, and the position in its events.

import { LAST, NAMES, RUNGS, remember, remembered } from "./ladder.js";
import { Problem, problemOf } from "./problem.js";
import { backoff, pause, within } from "./pause.js";
import { takeSlot } from "./slots.js";

const FIRST_WORD = 4000; // ms until a stream must bring its first event
const ANSWER = 13_000; // ms until a poll must be answered; it asks the server to wait 10 s at most. Of a node
// that answers nothing more, the other nodes learn in 5 s, and then the resume window begins
const SOON = 2000; // ms that the start of a stream lasts; a proxy may let that through, and hold back the rest
const SHORT_POLLS = 400; // ms between the polls of a tab without a slot (see slots.js)

export class Connection {
  session; // what a resume needs: { server, token, position }
  brokenSince = Date.now(); // 0 while a reader works
  worksSince; // when a reader last began to work after a break
  tell; // of the constructor

  #url;
  #transport; // has the name of the rung that is tried, or works
  #rung;
  #stop = new AbortController();
  #interval = 10_000;
  #window = 10_000;

  // Of the present reader, or of the last:
  #deadline = Infinity; // the time from which a silent reader counts as dead
  #reading;
  #begin;
  #heard; // whether an event came
  #lively; // whether an event came after the start
  #why; // why this client ended the reader: not every platform gives a signal its reason
  #wait; // how long the server asks to wait (ms)
  #error; // what failed

  // tell holds the callbacks: opening() before each attempt, back(event) with the first event
  // after a break, event(event, lately) with every event, and in streams with the time (ms) within
  // which the server should have heard from the client, failed(error) after a failed attempt,
  // lost() when the resume window is over, and over(reason, error) once, at the end. The server of
  // the session is a Manager.
  constructor(session, tell) {
    const { uri, engine } = session.server;
    this.session = session;
    this.#url = uri;
    this.#rung = remembered(uri);
    this.#transport = engine.transport;
    this.#transport.name = undefined;
    this.tell = tell;
    this.#run();
  }

  // Ends the connection. No callback is called afterwards.
  stop() {
    this.#stop.abort();
    this.#end();
  }

  // Starts a new session, because the server does not know the token any more.
  renew() {
    this.session.token = this.session.position = undefined;
    this.#end();
  }

  async #run() {
    const { signal } = this.#stop;
    const { opts } = this.session.server;
    const look = ({ type }) => this.#end(type);
    const watch = setInterval(() => {
      const now = Date.now();
      // A clock that was put back would otherwise put off the deadline.
      if (now > this.#deadline || now < this.#begin) this.#end("silent");
      if (this.brokenSince && now > this.brokenSince + this.#window) this.tell.lost();
    }, 1000);
    for (const type of ["online", "offline"]) globalThis.addEventListener?.(type, look, { signal });

    let giveBack;
    let failures = 0;
    let faults = 0; // readers in a row that brought nothing, or nothing after their start
    while (!signal.aborted) {
      // A lock that is never answered must not hold up the client.
      giveBack ??= await within(FIRST_WORD, () => takeSlot(this.#url)).catch(() => () => {});
      if (signal.aborted) break;
      const short = !giveBack;
      const heard = await this.#read(short ? LAST : this.#rung, short);
      if (signal.aborted) break;
      if (heard) failures = 0;
      const isMute = this.#why === "silent";
      faults = !heard || isMute && !this.#lively ? faults + 1 : 0;

      if (heard && this.#wait) await pause(this.#wait, signal);
      else if (short && heard) await pause(SHORT_POLLS, signal);
      // After one fault perhaps only the link, or a node, is dead: the next reader will show it.
      else if (this.#why === "online" || faults === 1 && (heard || !isMute)) continue;
      else if (!short && faults && this.#rung < LAST && await this.#read(LAST, true)) this.#rung++;
      else if (!signal.aborted) {
        if (!heard) this.tell.failed(this.#error);
        if (failures >= (opts.reconnection ? opts.reconnectionAttempts : 0)) {
          this.#over("transport error", this.#error);
          break;
        }
        await pause(this.#wait || backoff(failures++, opts.reconnectionDelay, opts.reconnectionDelayMax), signal);
      }
    }
    clearInterval(watch);
    giveBack?.();
  }

  // Runs one reader to its end. Resolves to whether an event came.
  async #read(rung, short) {
    let reading = this.#reading = new AbortController();
    this.#begin = Date.now();
    this.#deadline = this.#begin + (rung === LAST ? ANSWER : FIRST_WORD);
    this.#heard = this.#lively = this.#why = this.#wait = this.#error = undefined;
    if (!short || !this.#transport.name) this.#transport.name = NAMES[rung];
    if (this.brokenSince) this.tell.opening();

    const receive = (event, position) => reading.signal.aborted || this.#receive(event, position, rung, short);
    try {
      // The first poll does not wait: the client learns at once that it is back. Each poll has a signal
      // of its own, because Node.js keeps what listens to a signal, and warns.
      for (let wait = 0; ; wait = 10) {
        await within(0, (signal) => RUNGS[rung](this.session, signal, receive, wait), reading);
        if (rung < LAST || short || reading.signal.aborted) break;
        reading = this.#reading = new AbortController();
      }
    } catch (error) {
      this.#error = problemOf(error, this.#url);
      this.#wait ??= this.#error.retryAfter;
    }
    this.#deadline = Infinity;
    if (!short || !this.#heard) this.brokenSince ||= Date.now();
    return this.#heard;
  }

  #receive(event, position, rung, short) {
    const { type, reason } = event;
    const now = Date.now();
    const isLast = type === "disconnected" || type === "server-shutdown";
    if (position) this.session.position = position;
    if (!this.#heard && !short) remember(this.#url, rung);
    this.#heard = true;
    this.#lively = now > this.#begin + SOON;
    if (type === "connected") {
      this.session.token = event.token;
      this.#interval = event.heartbeatInterval;
      this.#window = event.resumeWindow;
    }
    this.#deadline = now + (rung === LAST ? ANSWER : this.#interval * 1.25);
    if (this.brokenSince) {
      if (isLast) this.tell.failed(new Problem({ title: reason ?? type }));
      else {
        this.brokenSince = 0;
        this.worksSince = now;
        this.tell.back(event);
      }
    }
    if (this.#reading.signal.aborted) return;
    this.tell.event(event, rung < LAST && !isLast && this.#interval / 2);
    if (!isLast) return;
    // The client does not come back by itself. Two clients that both resumed one session would otherwise
    // take it over from each other for ever.
    if (/kicked|replaced/.test(reason)) return this.#over("io server disconnect");
    this.#wait = event.retryAfter ?? event.reconnectAfter;
    this.#end();
  }

  /** @param {string} [why] */
  #end(why) {
    this.#why ??= why;
    this.#reading?.abort();
  }

  #over(reason, error) {
    this.stop();
    this.tell.over(reason, error);
  }
}
