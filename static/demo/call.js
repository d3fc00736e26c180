// The call: the peers of a room, what is sent to them, and the messages of their data channels.
// The messages carry the chat, what each side sends, and pings that measure the latency.

import { explainConsequences, explainFailures } from "./devices.js";
import { OwnMedia } from "./own-media.js";

const PING_INTERVAL = 3000;

// A person who knows the question answers it in less time (ms).
const SLOW_ANSWER = 3000;

// A browser may have no WebRTC, or a policy that forbids it.
function canCall() {
  try {
    new RTCPeerConnection().close();
    return true;
  } catch {
    return false;
  }
}

// Dispatches "change" (the call has changed), "peer" (detail: the peer), "peer-gone" (detail:
// { peer, reason }), "trouble" (detail: the peer), "data" (detail:
// { peer, message }), "note" (detail: a text to show), "question" (detail: the kinds that
// the browser asks for, if that takes long) and "answered".
export class Call extends EventTarget {
  able = canCall();
  starting = false;
  own = new OwnMedia();

  /** @type {import("../peers.js").Room | null} */
  #room = null;
  #attempt = 0;
  #details = new WeakMap(); // by peer

  constructor() {
    super();
    this.own.addEventListener("change", (event) => {
      if (this.active && /** @type {CustomEvent} */ (event).detail) this.#room?.setStream(this.own.stream);
      this.#tellMedia();
      this.#emit("change");
    });
    this.own.addEventListener("ended", (event) => {
      const { detail: kind } = /** @type {CustomEvent} */ (event);
      this.#emit("note", `The ${kind} has stopped. If it is still plugged in, press its button to start it again.`);
    });
  }

  // From now on the call is in this room. With null it is not in a room.
  enter(room) {
    this.#stop();
    this.#room = room;
    room?.on("peer", (peer) => this.#begin(peer));
    room?.on("change", (peer) => this.#emit("peer", peer));
    room?.on("data", (data, peer) => this.#receive(data, peer));
    room?.on("leave", (peer, reason) => {
      clearInterval(this.detailsOf(peer).pinger);
      this.#emit("peer-gone", { peer, reason });
      this.#emit("change");
    });
    room?.on("error", (error, peer) => {
      console.info("in the call:", error);
      if ("status" in error) return; // "error" of the socket reports what the server refused
      if (peer) this.detailsOf(peer).isBroken = true; // the tile says so unless the peer connects
      if (peer?.state === "connected") this.#emit("trouble", peer);
      if (!peer && this.able) this.#emit("note", "This browser could not connect with everybody. Reload the page to try again.");
    });
    this.#emit("change");
  }

  get active() {
    return this.#room?.calling ?? false;
  }

  /** @returns {Map<string, import("../peers.js").Peer>} */
  get peers() {
    return this.#room?.peers ?? new Map();
  }

  detailsOf(peer) {
    const known = this.#details.get(peer);
    if (known) return known;
    const media = { microphone: true, camera: true, screen: false };
    const details = { media, latency: null, since: performance.now(), isBroken: false, pinger: 0 };
    this.#details.set(peer, details);
    return details;
  }

  // Calls everybody in the room, and from now on everybody who joins.
  async start({ media }) {
    if (this.starting) return;
    const attempt = ++this.#attempt;
    this.starting = true;
    this.#emit("change");
    const failures = media ? await this.#open(["microphone", "camera"]) : {};
    if (attempt !== this.#attempt) return;
    this.starting = false;
    this.#note(failures ?? {}, true);
    this.#room?.call(this.own.stream);
    this.#tellMedia();
    this.#emit("change");
  }

  // Goes on without the devices that the browser still asks for.
  startWithout() {
    this.own.cancel();
  }

  hangUp() {
    this.#room?.hangUp();
    this.#stop();
    this.#emit("change");
  }

  // The others get a message at once. From the track alone they would only hear silence, or see
  // black.
  /** @param {import("./own-media.js").Kind} kind */
  async toggle(kind) {
    if (this.own.asking || this.own.toggle(kind)) return;
    this.#note(await this.#open([kind]) ?? {});
  }

  async toggleScreen() {
    if (this.own.sharing) return this.own.unshare();
    try {
      await this.own.share();
    } catch {
      this.#emit("note", "This browser could not share the screen.");
    }
  }

  broadcast(message) {
    this.#room?.send(JSON.stringify(message));
  }

  /**
   * Opens devices, and reports if the person does not answer the browser's question.
   * @param {import("./own-media.js").Kind[]} kinds
   */
  async #open(kinds) {
    const slow = setTimeout(() => this.#emit("question", kinds), SLOW_ANSWER);
    const failures = await this.own.open(kinds);
    clearTimeout(slow);
    this.#emit("answered");
    return failures;
  }

  #note(failures, withConsequences = false) {
    if (!Object.keys(failures).length) return;
    const consequences = withConsequences ? explainConsequences(failures) : "";
    this.#emit("note", `${explainFailures(failures)} ${consequences}`.trim());
  }

  #stop() {
    this.#attempt++;
    this.starting = false;
    this.own.stop();
  }

  #begin(peer) {
    const details = this.detailsOf(peer);
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
      const { microphone, camera, screen } = message;
      details.media = { microphone, camera, screen: screen === true };
      this.#emit("peer", peer);
    } else if (message) {
      this.#emit("data", { peer, message });
    }
  }

  // A device is true or false if it is on or off, and null if there is none.
  #tellMedia() {
    const own = this.active ? this.own : null;
    this.broadcast({
      type: "media",
      microphone: own?.enabled("microphone") ?? null,
      camera: own?.enabled("camera") ?? null,
      screen: own?.sharing ?? false,
    });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
