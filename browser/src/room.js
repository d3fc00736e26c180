// A room whose members are connected with each other. There is one peer for each other member.

import { Emitter } from "./emitter.js";
import { Peer } from "./peer.js";

// When a member joins, the members that are in the room call it. The new member waits for this
// time (ms), and then calls each member that has not called.
const LATER_CALLS_AFTER = 2000;

const SIGNALS = ["offer", "answer", "ice-candidate"];

// Emits "peer" (a connection begins), "stream" (stream, peer), "data" (data, peer), "leave"
// (peer, reason), "change" (peer) and "members".
export class Room extends Emitter {
  members = new Map(); // by socket ID: { userId, socketId, metadata?, away? }
  peers = new Map(); // by socket ID
  calling = false; // whether this member calls everybody who joins
  stream = null; // what is sent to all peers

  #socket;
  #ownId; // the socket ID of this member
  #iceServers;
  #left = new AbortController();

  constructor(socket, roomId, { userId, stream = null, connect = true, iceServers, metadata, accessToken }) {
    super();
    Object.assign(this, { roomId, userId, stream, calling: connect });
    this.#socket = socket;
    this.#iceServers = iceServers;
    this.joined = new Promise((resolve, reject) => {
      this.#hear("room-joined", (event) => {
        if (event.roomId !== roomId) return this.#forget("left"); // the socket has joined another room
        this.#joined(event);
        resolve(this);
      });
      socket.emit("join-room", roomId, userId, { metadata, accessToken }, (answer) => {
        if (answer.status === 202) return;
        this.#forget("left");
        reject(answer);
      });
    });
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
    this.#hear("room-left", ({ reason }) => this.#forget(reason));
    // Calls go on while the server is away, and until the socket has joined again.
    this.#hear("disconnect", (reason) => /^io/.test(reason) && this.#forget("left"));
    for (const type of SIGNALS) this.#hear(type, (signal) => this.#signal(signal));
    this.#hear("signal", ({ from, data }) => data?.type === "hangup" && this.#hungUp(from, data));

    const restart = () => this.peers.forEach((peer) => peer.restartIce());
    const { connection } = /** @type {any} */ (globalThis.navigator ?? {}); // not yet a standard: wicg.github.io/netinfo
    for (const target of [globalThis, connection]) {
      target?.addEventListener?.(target === globalThis ? "online" : "change", restart, { signal: this.#left.signal });
    }
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

  // Sends to all peers. Returns how many of them it could send to.
  send(data) {
    return [...this.peers.values()].filter((peer) => peer.send(data)).length;
  }

  leave() {
    if (!this.#left.signal.aborted) this.#emit({ type: "leave-room" });
    this.#forget("left");
  }

  #joined({ users }) {
    const { id } = this.#socket;
    if (id !== this.#ownId) {
      // The socket is new: the others have dropped this member's former socket.
      for (const socketId of [...this.peers.keys()]) this.#drop(socketId, "rejoined");
    }
    this.#ownId = id;
    this.members = new Map(users.map((user) => [user.socketId, user]));
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

  #signal(signal) {
    const { type, from, fromConnection, toConnection } = signal;
    let peer = this.peers.get(from);
    if (toConnection && toConnection !== peer?.connectionId) {
      // The other side answers a connection that has ended here. Without a hangup it would wait for
      // ever.
      const data = { type: "hangup", connections: [toConnection] };
      if (type === "answer") this.#emit({ type: "signal", target: from, data });
      return;
    }
    if (type === "offer") {
      const known = peer?.remoteConnectionId;
      if (known && fromConnection && known !== fromConnection) this.#drop(from, "called anew");
      peer = this.#connect(from);
    }
    if (!peer) return;
    peer.remoteConnectionId = fromConnection ?? peer.remoteConnectionId;
    peer.receive(signal);
  }

  // A hangup names its connections, because a newer connection may have begun meanwhile.
  #hungUp(from, { connections }) {
    if (connections?.includes(this.peers.get(from)?.remoteConnectionId)) this.#drop(from, "hung up");
  }

  #connect(socketId) {
    const known = this.peers.get(socketId);
    if (known || this.#left.signal.aborted || socketId === this.#ownId) return known;
    const peer = new Peer(this.members.get(socketId) ?? { socketId }, {
      polite: this.#ownId < socketId,
      iceServers: this.#iceServers ?? this.#socket.iceServers,
      post: (signal) => this.#emit(signal),
    });
    this.peers.set(socketId, peer);
    peer.on("change", () => this.peers.get(socketId) === peer && this.tell("change", peer));
    peer.on("stream", (stream) => this.tell("stream", stream, peer));
    peer.on("data", (data) => this.tell("data", data, peer));
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

  #forget(reason) {
    this.#left.abort();
    this.calling = false;
    this.members.clear();
    for (const socketId of [...this.peers.keys()]) this.#drop(socketId, reason);
  }

  #hear(type, listener) {
    this.#socket.on(type, listener);
    this.#left.signal.addEventListener("abort", () => this.#socket.off(type, listener));
  }

  // The answer is ignored, because the socket's "error" reports a refusal. A member may leave
  // while a signal is on its way to it. The server refuses that signal, and user-disconnected
  // follows.
  #emit({ type, ...members }) {
    this.#socket.emit(type, members, () => {});
  }
}
