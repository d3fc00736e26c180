// One connection to one other member, by perfect negotiation: either side may change
// the call at any moment, and when both do so at once, the polite one gives way.
// https://www.w3.org/TR/webrtc/#perfect-negotiation-example

import { randomId } from "./outbox.js";

const PING_INTERVAL = 3000;
const PATIENCE = 10_000;

// Dispatches "change" (state, stream, channel or latency), and "data" for messages.
export class Peer extends EventTarget {
  stream = null;
  latency = null;
  media = { microphone: true, camera: true };

  // Offers and answers of a connection that was hung up may still be on their way when
  // the next begins. Each end therefore has an id, and drops what was for another.
  connectionId = randomId();
  remoteConnectionId = null;

  #connection;
  #channel;
  #iceServers;
  #local = null;
  #send;
  #polite;
  #makingOffer = false;
  #ignoreOffer = false;
  #isSettingRemoteAnswerPending = false;
  #candidates = [];
  #incoming = Promise.resolve();
  #pinger = 0;
  #reviver = 0;

  constructor({ socketId, polite, iceServers, send }) {
    super();
    this.socketId = socketId;
    this.#polite = polite;
    this.#iceServers = iceServers;
    this.#send = send;
    this.#open();

    // "failed" needs candidates to have been tried. Without any, a connection waits for ever.
    this.#reviver = setInterval(() => {
      const { signalingState, remoteDescription } = this.#connection;
      const waiting = ["new", "connecting"].includes(this.state);
      if (waiting && remoteDescription && signalingState === "stable") this.#connection.restartIce();
    }, PATIENCE);
  }

  #open() {
    const connection = new RTCPeerConnection({ iceServers: this.#iceServers });
    this.#connection = connection;
    this.#makingOffer = false;
    connection.addEventListener("negotiationneeded", () => this.#offer(connection));
    connection.addEventListener("icecandidate", ({ candidate }) => {
      this.#post({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null });
    });
    connection.addEventListener("track", ({ track, streams }) => {
      this.stream = streams[0] ?? new MediaStream([track]);
      track.addEventListener("unmute", () => this.#changed());
      track.addEventListener("mute", () => this.#changed());
      this.#changed();
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection.connectionState === "failed") connection.restartIce();
      this.#changed();
    });

    // Negotiated by agreement: both have it from the start, and neither has to wait for
    // the other's. It is also what there is to connect where nobody has a camera.
    const channel = connection.createDataChannel("peer", { negotiated: true, id: 0 });
    this.#channel = channel;
    channel.addEventListener("open", () => this.#channelOpened());
    channel.addEventListener("close", () => this.#changed());
    channel.addEventListener("message", ({ data }) => this.#message(data));

    if (this.#local) this.addStream(this.#local);
  }

  get state() {
    return this.#connection.connectionState;
  }

  get channelState() {
    return this.#channel.readyState;
  }

  get hasVideo() {
    return this.stream?.getVideoTracks().some((track) => !track.muted) ?? false;
  }

  addStream(stream) {
    this.#local = stream;
    const sent = new Set(this.#connection.getSenders().map((sender) => sender.track));
    for (const track of stream.getTracks()) {
      if (!sent.has(track)) this.#connection.addTrack(track, stream);
    }
  }

  // Signals are handled one after another, as they came.
  receive(signal) {
    this.#incoming = this.#incoming
      .then(() => this.#handle(signal))
      .catch((error) => {
        if (this.state !== "closed") console.warn(`${signal.type} could not be applied:`, error);
      });
  }

  sendData(message) {
    if (this.#channel.readyState !== "open") return false;
    this.#channel.send(JSON.stringify(message));
    return true;
  }

  close() {
    clearInterval(this.#pinger);
    clearInterval(this.#reviver);
    this.#connection.close();
  }

  async #offer(connection) {
    try {
      this.#makingOffer = true;
      await connection.setLocalDescription();
      if (connection === this.#connection) this.#describe();
    } catch (error) {
      if (connection.connectionState !== "closed") console.warn("no offer could be made:", error);
    } finally {
      if (connection === this.#connection) this.#makingOffer = false;
    }
  }

  async #handle(signal) {
    if (this.state === "closed") return;
    if (signal.type === "ice-candidate") return this.#candidate(signal.candidate);

    const description = signal.offer ?? signal.answer;
    const { signalingState, currentRemoteDescription } = this.#connection;
    const readyForOffer = !this.#makingOffer
      && (signalingState === "stable" || this.#isSettingRemoteAnswerPending);
    const collision = description.type === "offer" && !readyForOffer;
    this.#ignoreOffer = !this.#polite && collision;
    if (this.#ignoreOffer) return;

    // setRemoteDescription takes the own offer back by itself. Chromium does not always
    // survive that for the first one (no candidates are gathered, or SCTP does not start),
    // and nothing hangs on it yet: a fresh connection answers instead.
    if (collision && !currentRemoteDescription) {
      this.#connection.close();
      this.#open();
    }
    const connection = this.#connection;
    try {
      this.#isSettingRemoteAnswerPending = description.type === "answer";
      await connection.setRemoteDescription(description);
    } finally {
      this.#isSettingRemoteAnswerPending = false;
    }
    for (const candidate of this.#candidates.splice(0)) await this.#addCandidate(candidate);
    if (description.type === "offer") {
      await connection.setLocalDescription();
      this.#describe();
    }
  }

  async #candidate(candidate) {
    // These belong to the offer that was ignored; the answer brings others.
    if (this.#ignoreOffer) return;
    if (!this.#connection.remoteDescription) this.#candidates.push(candidate);
    else await this.#addCandidate(candidate);
  }

  async #addCandidate(candidate) {
    try {
      await this.#connection.addIceCandidate(candidate);
    } catch (error) {
      // Not every browser takes null, the end of candidates; nothing is lost without it.
      if (candidate && this.state !== "closed") console.warn("a candidate was refused:", error);
    }
  }

  #describe() {
    const { type, sdp } = this.#connection.localDescription;
    this.#post({ type, [type]: { type, sdp } });
  }

  // Members beside those of the contract travel along with offers, answers and candidates.
  #post(signal) {
    this.#send({
      ...signal,
      target: this.socketId,
      fromConnection: this.connectionId,
      toConnection: this.remoteConnectionId,
    });
  }

  #channelOpened() {
    const ping = () => this.sendData({ type: "ping", at: performance.now() });
    ping();
    this.#pinger = setInterval(ping, PING_INTERVAL);
    this.dispatchEvent(new Event("channel"));
    this.#changed();
  }

  #message(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message?.type === "ping") {
      this.sendData({ type: "pong", at: message.at });
    } else if (message?.type === "pong") {
      this.latency = Math.max(1, Math.round(performance.now() - message.at));
      this.#changed();
    } else if (message?.type === "media") {
      this.media = { microphone: message.microphone !== false, camera: message.camera !== false };
      this.#changed();
    } else if (message) {
      this.dispatchEvent(new CustomEvent("data", { detail: message }));
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
