// The call: the peers of a room, the camera that is sent to them, and the messages of their data
// channels. The messages carry the chat, which side is muted, and pings that measure the latency.

import { openMedia } from "./media.js";

const PING_INTERVAL = 3000;

// Dispatches "change" (the call has changed), "peer" and "peer-gone" (detail: the peer), "data"
// (detail: { peer, message }) and "note" (detail: a text to show).
export class Call extends EventTarget {
  starting = false;
  /** @type {MediaStream | null} */
  stream = null;

  /** @type {import("/peers.js").Room | null} */
  #room = null;
  #attempt = 0;
  #details = new WeakMap(); // by peer: { media, latency, pinger }

  // From now on the call is in this room. With null it is not in a room.
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

  // Calls everybody in the room, and from now on everybody who joins.
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

  // The others get a message at once. From the track alone they would only hear silence, or see
  // black.
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
      return; // not a message of this demo
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
