// The connection to the server: events come down one EventSource, and go up by POST.
// EventSource reconnects and resumes by itself (it hands back the last event id);
// what is here beyond that covers the cases in which it gives up or hears nothing.

import { Outbox } from "./outbox.js";
import { Problem } from "./problems.js";

// The closed list of the contract. Named events reach named listeners only.
export const EVENT_TYPES = [
  "connected", "room-joined", "room-left", "disconnected", "announcement",
  "user-connected", "user-disconnected", "user-away", "user-back",
  "offer", "answer", "ice-candidate", "signal",
  "new-message", "user-typing", "pong", "heartbeat", "server-shutdown",
];

// After these the server does not want this page back unasked: two pages that both
// resumed one session would otherwise take it from each other for ever.
const FINAL_REASONS = new Set(["kicked", "replaced"]);

// Dispatches every server event but "connected" under its own type (detail: the data),
// and besides: "received" for every one, "state" when the connection changes, and
// "session" when this page has become a new socket (detail.again: it was one before).
export class Signaling extends EventTarget {
  state = "closed";
  socketId = null;
  iceServers = [];

  #source = null;
  #token = null;
  #outbox = null;
  #lastEventId = "";
  #heartbeatInterval = 10_000;
  #failures = 0;
  #watchdog = 0;
  #reopening = 0;

  get ready() {
    return this.#outbox !== null;
  }

  // Continues the session if there is one; the id goes into the address because an
  // EventSource made by hand can set no header.
  open() {
    this.#closeStream();
    this.#setState(this.#token ? "reconnecting" : "connecting");
    const resume = this.#lastEventId ? `?lastEventId=${encodeURIComponent(this.#lastEventId)}` : "";
    const source = new EventSource(`/events${resume}`);
    this.#source = source;
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (message) => {
        if (source === this.#source) this.#receive(message);
      });
    }
    source.addEventListener("error", () => {
      if (source === this.#source) this.#interrupted();
    });
    this.#watch();
  }

  // Ends the session for good, at once for everyone else in the room. Survives the page.
  disconnect() {
    const token = this.#token;
    this.#forget();
    this.#setState("closed");
    if (!token) return;
    navigator.sendBeacon("/events", JSON.stringify({ type: "disconnect", token }));
  }

  send(event) {
    if (!this.#outbox) return Promise.reject(new Problem({ type: "/problems/unreachable" }));
    return this.#outbox.send(event);
  }

  #receive(message) {
    const data = JSON.parse(message.data);
    const type = data.type ?? message.type;
    if (message.lastEventId) this.#lastEventId = message.lastEventId;
    this.#watch();

    this.#emit("received", { type, data });
    if (type === "connected") this.#connected(data);
    else this.#emit(type, data);
    if (type === "disconnected") this.#ended(data);
    if (type === "server-shutdown") this.#reopenIn(Math.min(data.reconnectAfter || 2000, 30_000));
  }

  #connected(data) {
    const renewed = this.socketId !== data.socketId;
    const first = this.socketId === null;
    this.#failures = 0;
    this.#heartbeatInterval = data.heartbeatInterval || this.#heartbeatInterval;
    this.iceServers = data.iceServers ?? [];
    if (renewed) {
      this.#outbox?.close();
      this.#token = data.token;
      this.socketId = data.socketId;
      this.#outbox = new Outbox(data.token, () => this.#sessionUnknown(data.token));
    }
    this.#setState("open");
    if (renewed) this.#emit("session", { again: !first });
  }

  // The server ends the stream. Most reasons pass, and the browser comes back by itself
  // at the time that the same event gave it.
  #ended({ reason }) {
    if (FINAL_REASONS.has(reason)) {
      this.#forget();
      this.#setState("closed");
    } else {
      this.#setState(this.#token ? "reconnecting" : "connecting");
    }
  }

  #sessionUnknown(token) {
    if (token !== this.#token) return;
    this.#lastEventId = "";
    this.open();
  }

  #interrupted() {
    this.#setState(this.#token ? "reconnecting" : "connecting");
    // An answer other than 200, a proxy's error page for instance, stops an EventSource for good.
    if (this.#source.readyState !== EventSource.CLOSED) return;
    const backoff = Math.min(1000 * 2 ** this.#failures++, 15_000);
    this.#reopenIn(backoff * (0.5 + Math.random()));
  }

  #reopenIn(ms) {
    this.#closeStream();
    this.#setState("reconnecting");
    this.#reopening = setTimeout(() => this.open(), ms);
  }

  // A stream can be dead, or muted by a proxy, without an error. Heartbeats tell.
  #watch() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.open(), this.#heartbeatInterval * 2.5);
  }

  #closeStream() {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#reopening);
    this.#source?.close();
    this.#source = null;
  }

  #forget() {
    this.#closeStream();
    this.#outbox?.close();
    this.#outbox = null;
    this.#token = null;
    this.#lastEventId = "";
  }

  #setState(state) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state", { state });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
