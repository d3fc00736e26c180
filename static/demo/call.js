// The call: one peer for each other member (a mesh), and the own camera for all of them.

import { Peer } from "./peer.js";
import { openMedia } from "./media.js";

// Dispatches "change" (something about the call), "peer" and "peer-gone" (detail: the
// peer), "data" (detail: { peer, message }), "note" (detail: words for the person) and "problem".
export class Call extends EventTarget {
  active = false;
  starting = false;
  stream = null;
  peers = new Map();

  #signaling;
  #members = new Set();
  #attempt = 0;

  constructor(signaling) {
    super();
    this.#signaling = signaling;
  }

  get incoming() {
    return !this.active && this.peers.size > 0;
  }

  // Calls everybody who is here, and from now on everybody who comes.
  async start({ media }) {
    if (this.starting) return;
    const attempt = ++this.#attempt;
    this.starting = true;
    this.#emit("change");
    const { stream, note } = media ? await openMedia() : { stream: null, note: "" };
    if (attempt !== this.#attempt) {
      stream?.getTracks().forEach((track) => track.stop());
      return;
    }
    this.starting = false;
    this.active = true;
    this.stream = stream ?? this.stream;
    if (note) this.#emit("note", note);
    for (const socketId of this.#members) {
      const peer = this.peers.get(socketId) ?? this.#connect(socketId);
      if (this.stream) peer.addStream(this.stream);
    }
    this.#tellMedia();
    this.#emit("change");
  }

  hangUp() {
    const connections = [...this.peers.values()].map((peer) => peer.connectionId);
    this.reset();
    if (connections.length) this.#send({ type: "signal", data: { type: "hangup", connections } });
  }

  // Ends everything here without telling anyone: the others are told by the server.
  reset() {
    this.#attempt++;
    this.starting = false;
    this.active = false;
    for (const socketId of [...this.peers.keys()]) this.#drop(socketId);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.#emit("change");
  }

  // Others see at once who is muted; the track itself only falls silent.
  toggle(kind) {
    const track = this.stream?.getTracks().find((each) => each.kind === kind);
    if (!track) return;
    track.enabled = !track.enabled;
    this.#tellMedia();
    this.#emit("change");
  }

  enabled(kind) {
    return this.stream?.getTracks().find((track) => track.kind === kind)?.enabled ?? null;
  }

  broadcast(message) {
    return [...this.peers.values()].filter((peer) => peer.sendData(message)).length;
  }

  setMembers(socketIds) {
    this.#members = new Set(socketIds);
  }

  memberJoined(socketId) {
    this.#members.add(socketId);
    if (this.active) this.#connect(socketId);
  }

  memberLeft(socketId) {
    this.#members.delete(socketId);
    this.#drop(socketId);
  }

  receive(signal) {
    let peer = this.peers.get(signal.from);
    const addressed = signal.toConnection ?? null;

    if (signal.type === "signal") {
      if (signal.data?.type !== "hangup") return;
      // A call that was begun anew outlives the end of the one before.
      if (signal.data.connections?.includes(peer?.remoteConnectionId)) this.#drop(signal.from);
      return;
    }
    if (addressed && addressed !== peer?.connectionId) {
      // They answer a connection that is gone here, and would wait for it for ever.
      if (signal.type === "answer") {
        const data = { type: "hangup", connections: [addressed] };
        this.#send({ type: "signal", target: signal.from, data });
      }
      return;
    }
    if (signal.type === "offer") {
      const known = peer?.remoteConnectionId;
      const other = known && signal.fromConnection && known !== signal.fromConnection;
      if (other) this.#drop(signal.from);
      if (other || !peer) peer = this.#connect(signal.from);
    }
    if (!peer) return;
    if (signal.fromConnection) peer.remoteConnectionId = signal.fromConnection;
    peer.receive(signal);
  }

  #connect(socketId) {
    const peer = new Peer({
      socketId,
      polite: this.#signaling.socketId < socketId,
      iceServers: this.#signaling.iceServers,
      send: (event) => this.#send(event),
    });
    this.peers.set(socketId, peer);
    peer.addEventListener("change", () => {
      if (this.peers.get(socketId) === peer) this.#emit("peer", peer);
    });
    peer.addEventListener("channel", () => {
      this.#tellMedia();
      this.#emit("change");
    });
    peer.addEventListener("data", ({ detail }) => this.#emit("data", { peer, message: detail }));
    if (this.stream) peer.addStream(this.stream);
    this.#emit("peer", peer);
    this.#emit("change");
    return peer;
  }

  #drop(socketId) {
    const peer = this.peers.get(socketId);
    if (!peer) return;
    this.peers.delete(socketId);
    peer.close();
    this.#emit("peer-gone", peer);
    this.#emit("change");
  }

  #tellMedia() {
    this.broadcast({
      type: "media",
      microphone: this.enabled("audio") ?? false,
      camera: this.enabled("video") ?? false,
    });
  }

  // A member may leave while something is on its way to it. The server tells of that
  // separately, so it is no news here.
  #send(event) {
    this.#signaling.send(event).catch((problem) => {
      if (!["target-not-found", "session-ended", "not-in-room", "unknown-session"].includes(problem.kind)) {
        this.#emit("problem", problem);
      }
    });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
