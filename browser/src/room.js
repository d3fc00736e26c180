// A room whose members are connected with each other. There is one peer for each other member.

import { Emitter } from "./emitter.js";
import { IceServers } from "./ice-servers.js";
import { Peer, randomId } from "./peer.js";

// When a member joins, the members that are in the room call it. The new member waits for this
// time (ms), and then calls each member that has not called.
const LATER_CALLS_AFTER = 2000;

const SIGNALS = ["offer", "answer", "ice-candidate"];

const NO_WEBRTC = "This browser cannot make calls, because it has no WebRTC. Chat and the list of members work.";

const rooms = new WeakMap(); // by socket: its only room that is alive

// Reports whether something answered that is not a signaling server. Waiting would not help.
const isElsewhere = ({ type, status }) => type === "about:blank" && status >= 200 && status < 500;

const aborted = (message) => new DOMException(message, "AbortError");

// Emits "peer" (a connection begins), "stream" (stream, peer), "data" (data, peer), "leave"
// (peer, reason), "change" (peer), "drain" (peer), "members", "error" (error, peer?) and "end"
// (reason, error?).
export class Room extends Emitter {
  roomId;
  userId;
  members = new Map(); // by socket ID: { userId, socketId, metadata?, away? }
  peers = new Map(); // by socket ID
  calling = false; // whether this member calls everybody who joins
  stream = null; // what is sent to all peers

  #socket;
  #join; // what join-room sends. Its request ID says which answers are for this room
  #isAsked = false; // whether the server has still to answer the join
  #isIn = false;
  #isWaiting = false; // for a server that could not be reached
  #ownId; // the socket ID of this member
  #ice;
  #ended = new AbortController();
  #settle; // { resolve, reject } of joined

  constructor(socket, roomId, { userId, stream = null, connect = true, iceServers, metadata, accessToken, signal }) {
    super();
    Object.assign(this, { roomId, userId, stream, calling: connect });
    this.#socket = socket;
    this.#join = { roomId, userId, metadata, accessToken, requestId: randomId() };
    this.#ice = new IceServers(socket, iceServers, this.#ended.signal);
    // One chunk of a stream may bring the answer and the end of the room.
    this.joined = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    }).then(() => {
      const { aborted, reason } = this.#ended.signal;
      if (aborted) throw reason;
      return this;
    });
    if (signal?.aborted) this.#end("left", signal.reason);
    else this.#begin(signal);
  }

  // Calls everybody in the room, and from now on everybody who joins.
  call(stream = this.stream) {
    this.calling = true;
    this.setStream(stream);
    for (const socketId of this.members.keys()) this.#connect(socketId);
  }

  // Ends all connections, and calls nobody any more. Calls of others are still answered.
  hangUp() {
    const connections = [...this.peers.values()].map(({ connectionId }) => connectionId);
    this.calling = false;
    this.stream = null;
    for (const socketId of [...this.peers.keys()]) this.#drop(socketId, "hung up");
    if (connections.length) this.#emit({ type: "signal", data: { type: "hangup", connections } });
  }

  setStream(stream) {
    this.stream = stream;
    for (const peer of this.peers.values()) peer.setStream(stream);
  }

  // Sends to all peers. Returns how many of them it could send to. "error" names each other peer
  // whose channel is open.
  send(data) {
    return [...this.peers.values()].filter((peer) => peer.send(data)).length;
  }

  leave() {
    this.#leave(aborted("The room was left before the server had answered."));
  }

  // ---- Being in the room

  #begin(signal) {
    signal?.addEventListener("abort", () => this.#leave(signal.reason), { signal: this.#ended.signal });
    const former = rooms.get(this.#socket);
    rooms.set(this.#socket, this);
    if (former) former.#end("replaced", aborted("A newer joinRoom took the place of this one."));
    this.#listen();
    this.#enter(!!former);
  }

  // Asks to join. The answer is room-joined with the same request ID. If the session is lost
  // before, the next session asks again.
  #enter(hasReplaced = false) {
    this.#isAsked = true;
    this.#emit({ type: "join-room", ...this.#join }).then((answer) => {
      this.#isAsked = false;
      if (answer.status === 202 || this.#ended.signal.aborted) return;
      const isLost = answer.status === 0; // what cannot be sent has no status
      if (isLost && this.#socket.active) return this.#enter(hasReplaced);
      this.#end("refused", answer);
      // A refused socket stays where it was, and no room on this side is there any more.
      if (hasReplaced && !isLost && !rooms.has(this.#socket)) this.#emit({ type: "leave-room" });
    });
  }

  #listen() {
    const { signal } = this.#ended;
    this.#hear("room-joined", (event) => this.#joined(event));
    this.#hear("user-connected", (user) => {
      this.members.set(user.socketId, user);
      this.tell("members");
      if (this.calling) this.#connect(user.socketId);
    });
    this.#hear("user-disconnected", ({ socketId, reason }) => {
      this.members.delete(socketId);
      this.#drop(socketId, reason);
      this.tell("members");
    });
    this.#hear("user-away", (event) => this.#away(event, true));
    this.#hear("user-back", (event) => this.#away(event, false));
    this.#hear("room-left", ({ reason }) => this.#end(reason));
    for (const type of SIGNALS) this.#hear(type, (event) => this.#signal(event));
    this.#hear("signal", ({ from, data }) => {
      if (data?.type === "hangup") this.#hungUp(from, data);
      const peer = this.peers.get(from);
      if (data?.type === "negotiate" && peer && peer.connectionId === data.toConnection) peer.receive({ type: "signal", data });
    });

    // Calls go on while the server is away, and until the socket has joined again.
    this.#on(this.#socket, "connect", () => this.#socket.recovered || this.#isAsked || this.#enter());
    this.#on(this.#socket, "disconnect", (reason) => /^io/.test(reason) && this.#end("disconnected", aborted("The socket was disconnected.")));
    this.#on(this.#socket.io, "reconnect_failed", () => this.#end("disconnected", new Error("The server could not be reached.")));
    this.#on(this.#socket, "connect_error", (error) => this.#isIn || this.#failed(error));

    const restart = () => this.peers.forEach((peer) => peer.restartIce());
    const { connection } = /** @type {any} */ (globalThis.navigator ?? {}); // not yet a standard: wicg.github.io/netinfo
    for (const target of [globalThis, connection]) {
      target?.addEventListener?.(target === globalThis ? "online" : "change", restart, { signal });
    }
  }

  // The join waits for the server, and says so once if nobody else does.
  #failed(error) {
    if (isElsewhere(error)) return this.#leave(error);
    if (!this.#isWaiting && this.#socket.listeners("connect_error").length === 1) console.warn(`joinRoom waits for the server: ${error.message}`);
    this.#isWaiting = true;
  }

  #joined({ roomId, userId, users, requestId }) {
    // The server makes text of numbers.
    if (requestId === this.#join.requestId) Object.assign(this, { roomId, userId });
    if (roomId !== this.roomId) return this.#end("left"); // the app has joined another room by itself
    const { id } = this.#socket;
    if (id !== this.#ownId) {
      // The socket is new: the others have dropped this member's former socket.
      for (const socketId of [...this.peers.keys()]) this.#drop(socketId, "rejoined");
    }
    this.#ownId = id;
    this.members = new Map(users.map((user) => [user.socketId, user]));
    this.#settle.resolve();
    this.tell("members");
    setTimeout(() => {
      if (!this.calling || this.#socket.id !== id) return;
      for (const socketId of this.members.keys()) this.#connect(socketId);
    }, LATER_CALLS_AFTER);
  }

  #away({ socketId }, away) {
    const member = this.members.get(socketId);
    if (!member) return;
    member.away = away;
    this.tell("members");
  }

  #leave(why) {
    if (this.#ended.signal.aborted) return;
    this.#emit({ type: "leave-room" });
    this.#end("left", why);
  }

  // The room is over. If it was not joined yet, the join fails with the error.
  /** @param {Error} [error] */
  #end(reason, error = aborted(`The room is over: ${reason}.`)) {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(error);
    if (rooms.get(this.#socket) === this) rooms.delete(this.#socket);
    this.calling = false;
    this.members.clear();
    for (const socketId of [...this.peers.keys()]) this.#drop(socketId, reason);
    this.#settle.reject(error);
    this.tell("end", reason, error);
  }

  // ---- Calls

  #signal(signal) {
    const { type, from, fromConnection, toConnection } = signal;
    let peer = this.peers.get(from);
    if (toConnection && toConnection !== peer?.connectionId) {
      // The other side answers a connection that has ended here. Without a hangup it would wait for
      // ever.
      if (type === "answer") this.#refuse(from, toConnection);
      return;
    }
    if (type === "offer") {
      const known = peer?.remoteConnectionId;
      if (known && fromConnection && known !== fromConnection) this.#drop(from, "called anew");
      peer = this.#connect(from);
      if (!peer) this.#refuse(from, fromConnection, "unsupported");
    }
    if (!peer) return;
    peer.remoteConnectionId = fromConnection ?? peer.remoteConnectionId;
    peer.receive(signal);
  }

  // Tells the other side that a connection of its is over, or will never be.
  #refuse(target, connectionId, reason) {
    this.#emit({ type: "signal", target, data: { type: "hangup", connections: [connectionId], reason } });
  }

  // A hangup names its connections, because a newer connection may have begun meanwhile. Those
  // of a refusal are this side's own.
  #hungUp(from, { connections, reason }) {
    const peer = this.peers.get(from);
    if (reason === "unsupported" && connections?.includes(peer?.connectionId)) this.#drop(from, reason);
    if (connections?.includes(peer?.remoteConnectionId)) this.#drop(from, "hung up");
  }

  #connect(socketId) {
    const known = this.peers.get(socketId);
    if (known || this.#ended.signal.aborted || socketId === this.#ownId) return known;
    let peer;
    try {
      if (!globalThis.RTCPeerConnection) throw new DOMException(NO_WEBRTC, "NotSupportedError");
      peer = new Peer(this.members.get(socketId) ?? { socketId }, {
        polite: this.#ownId < socketId,
        ice: this.#ice,
        post: (signal) => this.#emit(signal),
      });
    } catch (error) {
      return void this.#report(error);
    }
    this.peers.set(socketId, peer);
    // After "leave" nothing more is said of a peer.
    const relay = (type, tell) => peer.on(type, (what) => this.peers.get(socketId) === peer && tell(what));
    for (const type of ["change", "drain"]) relay(type, () => this.tell(type, peer));
    for (const type of ["stream", "data"]) relay(type, (what) => this.tell(type, what, peer));
    relay("error", (error) => this.#report(error, peer));
    if (this.stream) peer.setStream(this.stream);
    this.tell("peer", peer);
    return peer;
  }

  #drop(socketId, reason) {
    const peer = this.peers.get(socketId);
    if (!peer) return;
    this.peers.delete(socketId);
    peer.close();
    this.tell("leave", peer, reason);
  }

  #report(error, peer) {
    if (this.listeners("error").length) this.tell("error", error, peer);
    else console.warn(`${peer?.userId ?? this.roomId}:`, error.message);
  }

  // ---- The socket

  // Listens to an event of the room. What comes before the answer to the join belongs to a room
  // that the socket was in before.
  #hear(type, listener) {
    this.#on(this.#socket, type, (event) => {
      if (event.requestId === this.#join.requestId) this.#isIn = true;
      this.#ice.hear(event.timestamp);
      if (this.#isIn) listener(event);
    });
  }

  #on(emitter, type, listener) {
    const { signal } = this.#ended;
    const guarded = (event) => signal.aborted || listener(event); // an earlier listener may have ended the room
    emitter.on(type, guarded);
    signal.addEventListener("abort", () => emitter.off(type, guarded));
  }

  // Resolves to the answer, which is a Problem if the server refuses. The socket's "error" reports
  // that as well. A member may leave while a signal is on its way to it. The server refuses that
  // signal, and user-disconnected follows.
  #emit({ type, ...members }) {
    return new Promise((resolve) => this.#socket.emit(type, members, resolve));
  }
}
