// The call: the peers of a room, the own camera for all of them, and what their data
// channels say beside chat: who is muted, and how long a message takes.

import { openMedia } from "./media.js";

const PING_INTERVAL = 3000;

// Dispatches "change" (something about the call), "peer" and "peer-gone" (detail: the
// peer), "data" (detail: { peer, message }) and "note" (detail: words for the person).
export class Call extends EventTarget {
  starting = false;
  /** @type {MediaStream | null} */
  stream = null;

  /** @type {import("/peers.js").Room | null} */
  #room = null;
  #attempt = 0;
  #details = new WeakMap(); // of each peer: { media, latency, pinger }

  // The call is that of this room from now on; of no room with null.
  enter(room) {
    this.#stop();
    this.#room = room;
    room?.on("peer", (peer) => this.#begin(peer));
    room?.on("change", (peer) => this.#emit("peer", peer));
    room?.on("data", (data, peer) => this.#receive(data, peer));
    room?.on("leave", (peer) => {
      clearInterval(this.detailsOf(peer).pinger);
      this.#emit("peer-gone", peer);
      this.#emit("change");
    });
    this.#emit("change");
  }

  get active() {
    return this.#room?.calling ?? false;
  }

  get peers() {
    return this.#room?.peers ?? new Map();
  }

  get incoming() {
    return !this.active && this.peers.size > 0;
  }

  detailsOf(peer) {
    return this.#details.get(peer) ?? { media: { microphone: true, camera: true }, latency: null };
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
    this.stream = stream ?? this.stream;
    if (note) this.#emit("note", note);
    this.#room?.call(this.stream);
    this.#tellMedia();
    this.#emit("change");
  }

  hangUp() {
    this.#room?.hangUp();
    this.#stop();
    this.#emit("change");
  }

  // Others see at once who is muted; the track itself only falls silent.
  toggle(kind) {
    const track = this.#track(kind);
    if (!track) return;
    track.enabled = !track.enabled;
    this.#tellMedia();
    this.#emit("change");
  }

  enabled(kind) {
    return this.#track(kind)?.enabled ?? null;
  }

  broadcast(message) {
    this.#room?.send(JSON.stringify(message));
  }

  #stop() {
    this.#attempt++;
    this.starting = false;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
  }

  #track(kind) {
    return this.stream?.getTracks().find((track) => track.kind === kind);
  }

  #begin(peer) {
    const details = this.detailsOf(peer);
    this.#details.set(peer, details);
    peer.on("open", () => {
      const ping = () => peer.send(JSON.stringify({ type: "ping", at: performance.now() }));
      clearInterval(details.pinger);
      details.pinger = setInterval(ping, PING_INTERVAL);
      ping();
      this.#tellMedia();
      this.#emit("change");
    });
    this.#emit("peer", peer);
    this.#emit("change");
  }

  #receive(data, peer) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return; // not of this demo
    }
    const details = this.detailsOf(peer);
    if (message?.type === "ping") {
      peer.send(JSON.stringify({ type: "pong", at: message.at }));
    } else if (message?.type === "pong") {
      details.latency = Math.max(1, Math.round(performance.now() - message.at));
      this.#emit("peer", peer);
    } else if (message?.type === "media") {
      details.media = { microphone: message.microphone !== false, camera: message.camera !== false };
      this.#emit("peer", peer);
    } else if (message) {
      this.#emit("data", { peer, message });
    }
  }

  #tellMedia() {
    this.broadcast({
      type: "media",
      microphone: this.enabled("audio") ?? false,
      camera: this.enabled("video") ?? false,
    });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
