// The API of socket.io-client, as far as signaling uses it.

import { Connection } from "./connection.js";
import { Emitter } from "./emitter.js";
import { Problem, sessionEnded, unreachable } from "./problem.js";
import { ask } from "./rungs.js";
import { Sender } from "./sender.js";

const RESERVED = /^(connect(_error)?|disconnect(ing)?|(new|remove)Listener)$/;
const PATIENCE = 15_000; // ms to wait for ICE servers
const BARE = /^(leave-room|typing-.*|ping)$/;

/**
 * Makes a client event of the contract from the arguments of emit.
 * @param {string} type
 * @param {any[]} args
 */
function clientEvent(type, [first, userId, more]) {
  if (RESERVED.test(type)) throw new Error(`"${type}" is a reserved event name`);
  if (BARE.test(type)) return { type };
  if (type === "join-room" && typeof first !== "object") return { type, roomId: first, userId, ...more };
  return { ...first, type };
}

export class Socket extends Emitter {
  id;
  connected = false;
  recovered = false;
  iceServers = [];
  /** @type {Emitter & { engine?: { transport: { readonly name?: string } } }} */
  io = new Emitter(); // socket.io-client's Manager: only its events, and the transport's name

  #url;
  #options;
  #connection; // undefined unless the socket is active
  #sender;
  #socketId; // of the session, also while it has no stream
  #room; // the join to repeat in a new session
  #greeting = false; // true while the listeners of "connect" run: they may join by themselves
  #attempts = 0;
  #parting = new Set(); // tokens of sessions whose "disconnect" is not answered yet

  constructor(url, options) {
    super();
    this.#url = url;
    this.#options = options;
    this.#newSender();
    // Pages that show the transport find it here in socket.io-client.
    const name = () => this.#connection?.transport;
    this.io.engine = { transport: { get name() { return name(); } } };
    globalThis.addEventListener?.("pagehide", () => this.#leave());
    globalThis.addEventListener?.("pageshow", ({ persisted }) => persisted && this.#return());
    if (options.autoConnect !== false) this.connect();
  }

  get disconnected() {
    return !this.connected;
  }

  // Whether it reconnects by itself.
  get active() {
    return !!this.#connection;
  }

  connect() {
    this.#connection ??= new Connection(this.#url, this.#options, {
      opening: () => this.#socketId && this.io.tell("reconnect_attempt", ++this.#attempts),
      back: ({ type }) => type === "connected" || this.#back(),
      event: (event) => this.#event(event),
      failed: (error) => this.#failed(error),
      lost: () => this.#lost("transport close"),
      over: (reason, error) => this.#over(reason, error),
    });
    return this;
  }

  disconnect() {
    if (!this.active) return this;
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
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE);
    try {
      const response = await ask(session, "ice-servers", "json", patience);
      return this.iceServers = await response.json();
    } catch (error) {
      throw error instanceof Problem ? error : unreachable();
    } finally {
      clearTimeout(timer);
    }
  }

  emit(type, ...args) {
    return this.#emit(type, args);
  }

  emitWithAck(type, ...args) {
    return this.#send(clientEvent(type, args));
  }

  timeout(ms) {
    return {
      emit: (type, ...args) => this.#emit(type, args, ms),
      emitWithAck: (type, ...args) => this.#send(clientEvent(type, args), ms),
    };
  }

  #emit(type, args, ms) {
    const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
    this.#send(clientEvent(type, args), ms).then(
      (answer) => ms ? ack?.(null, answer) : ack?.(answer),
      (problem) => {
        if (ack) ack(problem);
        else if (!this.listeners("error").length) console.warn(`signaling: ${type} was refused:`, problem.message);
      },
    );
    return this;
  }

  async #send(event, ms) {
    const isJoin = event.type === "join-room";
    if (isJoin) this.#room = event;
    if (event.type === "leave-room") this.#room = undefined;
    // Events that waited for the new session are meant for the room, so the join goes first.
    const first = isJoin && this.#greeting;
    if (first) this.#greeting = false;
    try {
      return await this.#sender.send(event, first, ms);
    } catch (problem) {
      if (problem.status && this.#room === event) this.#room = undefined;
      if (problem instanceof Problem) this.tell("error", problem);
      throw problem;
    }
  }

  #event(event) {
    const { type } = event;
    if (type === "connected") return this.#session(event);
    if (type === "room-left") this.#room = undefined;
    this.receive(type, event);
  }

  #session({ socketId, token, iceServers = [] }) {
    this.iceServers = iceServers;
    if (socketId === this.#socketId) return this.#back();
    const isFirst = !this.#socketId;
    this.#lost("transport close");
    this.#socketId = socketId;
    this.#sender.begin(token);
    this.#greeting = true;
    this.#back(false);
    if (!isFirst && this.#greeting && this.#room) this.#send(this.#room).catch(() => {}); // "error" reports it
    this.#greeting = false;
  }

  #back(recovered = true) {
    if (this.#attempts) this.io.tell("reconnect", this.#attempts);
    this.#attempts = 0;
    if (this.connected) return;
    this.id = this.#socketId;
    this.connected = true;
    this.recovered = recovered;
    this.tell("connect");
  }

  #failed(error) {
    if (this.#socketId) this.io.tell("reconnect_error", error);
    if (!this.connected) this.tell("connect_error", error);
  }

  #lost(reason) {
    if (!this.connected) return;
    this.connected = false;
    this.id = undefined;
    this.tell("disconnect", reason);
  }

  #over(reason, error) {
    this.#connection = undefined;
    this.#socketId = undefined;
    this.#attempts = 0;
    this.#sender.close();
    this.#newSender();
    if (!error) this.#room = undefined;
    this.#lost(reason);
    if (error) this.io.tell("reconnect_failed");
  }

  #newSender() {
    this.#sender = new Sender(this.#url, (token) => this.#connection?.renew(token));
  }

  // The page unloads. A beacon ends the session at once; no other request is sure to leave.
  #leave() {
    for (const token of [...this.#parting, this.#connection?.session.token]) {
      if (token) navigator.sendBeacon(`${this.#url}events`, JSON.stringify({ type: "disconnect", token }));
    }
    this.#connection?.stop();
  }

  // The browser kept the page (back/forward cache), and shows it again.
  #return() {
    if (!this.active) return;
    this.#connection = undefined;
    this.#lost("transport close");
    this.connect();
  }
}
