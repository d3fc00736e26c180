// The API of socket.io-client, as far as signaling uses it.

import { Connection } from "./connection.js";
import { Emitter, addAliases, call } from "./emitter.js";
import { Problem, problemOf, sessionEnded, unreachable } from "./problem.js";
import { Sender } from "./sender.js";
import { addressOf, ask } from "./request.js";
import { clientEvent } from "./client-event.js";
import { within } from "./pause.js";
import { tellOnce } from "./console.js";

const INCOMING = "Any";
const OUTGOING = "AnyOutgoing";

export class Socket extends Emitter {
  id;
  connected = false;
  recovered = false;
  iceServers = [];
  receiveBuffer = []; // always empty here
  sendBuffer = [];
  flags = {}; // for the next emit

  #connection; // undefined unless the socket is active
  #sender;
  #socketId; // of the session, also while it has no stream
  #wanted; // the last join, unless a leave-room followed
  #accepted; // the last join that the server accepted in this session
  #asking; // the last join, until it is accepted or refused
  #out; // whether an operator, or the end of an access token, has put the socket out of the room
  #greeting; // whether the listeners of "connect" run now: they may join by themselves
  #hidden; // whether the page may come back
  #attempts = 0;
  #parting = new Set(); // tokens of sessions whose "disconnect" is not answered yet

  constructor(manager) {
    super();
    this.io = manager;
    this.#sender = new Sender(this.io);
    globalThis.addEventListener?.("pagehide", () => this.#leave());
    globalThis.addEventListener?.("pageshow", () => this.#return());
    if (manager.opts.autoConnect !== false) this.connect();
  }

  get disconnected() {
    return !this.connected;
  }

  // Whether it reconnects by itself.
  get active() {
    return !!this.#connection;
  }

  get volatile() {
    this.flags.volatile = true;
    return this;
  }

  timeout(ms) {
    this.flags.timeout = ms;
    return this;
  }

  compress() {
    return this;
  }

  connect() {
    const { uri, address = "" } = this.io;
    if (uri) this.#connection || this.#connect({ server: this.io });
    else setTimeout(() => this.#failed(unreachable(address)));
    return this;
  }

  #connect(session) {
    this.#sender.connection = this.#connection = new Connection(session, {
      opening: () => this.#socketId && this.io.tell("reconnect_attempt", ++this.#attempts),
      back: ({ type }) => type === "connected" || this.#back(),
      event: (event, lately) => this.#event(event, lately),
      failed: (error) => this.#failed(error),
      lost: () => this.#lost("transport close"),
      over: (reason, error) => this.#over(reason, error),
    });
  }

  disconnect() {
    if (!this.#connection) return this;
    this.#connection.stop();
    const { token } = this.#connection.session;
    if (token) {
      const done = () => this.#parting.delete(token);
      this.#parting.add(token);
      this.#sender.send({ type: "disconnect" }).then(done, done);
    }
    this.#over("io client disconnect");
    return this;
  }

  // Asks for ICE servers whose credentials are fresh: those of "connected" may have expired.
  async fetchIceServers() {
    const session = this.#connection?.session;
    if (!session?.token) throw sessionEnded();
    const fetching = (signal) => ask(session, "ice-servers", "json", { signal }).then((response) => response.json());
    try {
      return this.iceServers = await within(15_000, fetching);
    } catch (error) {
      throw problemOf(error, this.io.uri);
    }
  }

  emit(type, ...args) {
    const ack = typeof args.at(-1) === "function" && args.pop();
    const { flags } = this;
    this.emitWithAck(type, ...args).then(
      (answer) => ack && call(this, ack, flags.timeout ? [null, answer] : [answer]),
      (problem) => {
        if (ack) call(this, ack, [problem]);
        else if (!(flags.volatile || this.hasListeners("error"))) console.warn(`signaling: ${type} was refused:`, problem.message);
      },
    );
    return this;
  }

  emitWithAck(type, ...args) {
    const { flags } = this;
    this.flags = {};
    const event = clientEvent(type, ...args);
    this.tell(OUTGOING, type, ...args);
    return this.#post(event, flags);
  }

  send(...args) {
    return this.emit("message", ...args);
  }

  async #post(event, { timeout, volatile } = this.flags) {
    const { type } = event;
    const isJoin = type === "join-room";
    // Events that waited for the new session are meant for the room, so the join goes first.
    const first = isJoin && this.#greeting;
    try {
      if (volatile && (!this.connected || this.#connection.brokenSince)) throw new Error("not connected");
      if (type === "leave-room") this.#wanted = this.#accepted = undefined;
      if (isJoin) {
        this.#wanted = this.#asking = event;
        this.#out = this.#greeting = false;
      }
      const answer = await this.#sender.send(event, first, timeout);
      if (isJoin) this.#accepted = event;
      return answer;
    } catch (problem) {
      // A socket whose join is refused stays where it was.
      if (problem.status !== 0 && this.#wanted === event) this.#wanted = this.#accepted;
      if (problem instanceof Problem) this.tell("error", problem);
      throw problem;
    } finally {
      if (this.#asking === event) this.#asking = undefined;
    }
  }

  #event(event, lately) {
    const { type, reason } = event;
    if (type === "connected") return this.#session(event);
    if (lately) this.#sender.heartbeat(lately);
    if (type === "heartbeat") return;
    if (type === "room-joined") this.#out = false;
    // The answer to a leave-room says nothing new, and a join that is under way is not affected.
    if (type === "room-left" && reason !== "left") {
      this.#out = this.#wanted === this.#accepted;
      this.#accepted = undefined;
    }
    this.tell(INCOMING, type, event);
    this.tell(type, event);
  }

  #session({ socketId, token, iceServers = [] }) {
    this.iceServers = iceServers;
    if (socketId === this.#socketId) return this.#back();
    this.#lost("transport close");
    this.#socketId = socketId;
    this.#accepted = undefined;
    this.#sender.begin(token);
    this.#greeting = true;
    this.#back(false);
    if (this.#greeting && this.#wanted && !this.#out && this.#asking !== this.#wanted) this.#post(this.#wanted).catch(() => {}); // "error" reports it
    this.#greeting = false;
  }

  #back(recovered = true) {
    this.#sender.run();
    if (this.#attempts) this.io.tell("reconnect", this.#attempts);
    this.#attempts = 0;
    if (this.connected) return;
    this.id = this.#socketId;
    this.connected = true;
    this.recovered = recovered;
    this.tell("connect");
  }

  #failed(error) {
    this.io.tell("error", error);
    if (this.#socketId && this.#connection?.brokenSince) this.io.tell("reconnect_error", error);
    else if (!this.hasListeners("connect_error")) tellOnce("warn", error.message);
    if (!this.connected || !this.#connection.brokenSince) this.tell("connect_error", error);
  }

  #lost(reason) {
    if (!this.connected) return;
    this.connected = false;
    this.id = undefined;
    this.tell("disconnect", reason);
  }

  #over(reason, error) {
    this.#connection = this.#socketId = this.#accepted = undefined;
    this.#attempts = 0;
    this.#sender.close();
    this.#sender = new Sender(this.io);
    if (!error) this.#wanted = undefined;
    this.#lost(reason);
    if (error) this.io.tell("reconnect_failed");
  }

  // The page unloads, or the browser keeps it for a while. A beacon is sure to leave, but not every
  // browser has beacons, or takes one.
  #leave() {
    this.#hidden = true;
    this.#connection?.stop();
    const url = addressOf(this.io, "events");
    for (const token of [...this.#parting, this.#connection?.session.token]) {
      if (!token) continue;
      const body = JSON.stringify({ type: "disconnect", token });
      let isTaken;
      try {
        isTaken = navigator.sendBeacon(url, body);
      } catch {} // there is none, or it throws
      if (!isTaken) fetch(url, { method: "POST", body, keepalive: true }).catch(() => {});
    }
  }

  // The browser kept the page (back/forward cache), and shows it again. If the goodbye got lost, the
  // session is still there, and goes on.
  #return() {
    if (!this.#hidden) return;
    this.#hidden = false;
    if (!this.#connection) return;
    this.#lost("transport close");
    this.#connect(this.#connection.session);
  }
}

const { connect, disconnect } = Socket.prototype;
addAliases(Socket, { open: connect, close: disconnect });

// The listeners of all events.
for (const type of [INCOMING, OUTGOING]) {
  for (const method of ["on", "prepend", "off", "listeners"]) {
    Socket.prototype[method + type] = function (...listener) {
      return this[method](type, ...listener);
    };
  }
}
