// One connection to one other member, by perfect negotiation: either side may change
// the call at any moment, and when both do so at once, the polite one gives way.
// https://www.w3.org/TR/webrtc/#perfect-negotiation-example

import { Emitter } from "./emitter.js";

const PATIENCE = 10_000; // ms in which a connection should have found its way
const BLIP = 3000; // ms in which an interrupted one may mend itself

// getRandomValues exists in insecure contexts too, where randomUUID does not.
const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36)).join("");

// Tells "change" (state, stream or channel), "stream", "open" and "data".
export class Peer extends Emitter {
  /** @type {MediaStream | null} */
  stream = null; // what the other sends

  // Offers and answers of a connection that was hung up may still be on their way when
  // the next begins. Each end therefore has an id, and drops what was for another.
  connectionId = randomId();
  remoteConnectionId = null;

  connection; // the RTCPeerConnection; another one may take its place
  channel; // the RTCDataChannel

  #settings; // { polite, iceServers, post }
  #local = null;
  #makingOffer = false;
  #ignoreOffer = false;
  #isSettingRemoteAnswerPending = false;
  #candidates = []; // until there is a description that they belong to
  #incoming = Promise.resolve();
  #reviver;
  #blip;

  constructor(user, settings) {
    super();
    this.userId = user.userId;
    this.socketId = user.socketId;
    this.#settings = settings;
    this.#open();

    // "failed" needs candidates to have been tried. Without any, a connection waits for ever.
    this.#reviver = setInterval(() => {
      const { signalingState, remoteDescription } = this.connection;
      const waiting = ["new", "connecting"].includes(this.state);
      if (waiting && remoteDescription && signalingState === "stable") this.restartIce();
    }, PATIENCE);
  }

  get state() {
    return this.connection.connectionState;
  }

  // Answers whether it could go: not before the channel is open, nor when it is closed.
  send(data) {
    if (this.channel.readyState !== "open") return false;
    this.channel.send(data);
    return true;
  }

  // Sends this stream, and no other any more; null sends none.
  setStream(stream) {
    this.#local = stream;
    const tracks = stream?.getTracks() ?? [];
    for (const sender of this.connection.getSenders()) {
      if (sender.track && !tracks.includes(sender.track)) this.connection.removeTrack(sender);
    }
    const sent = this.connection.getSenders().map(({ track }) => track);
    for (const track of tracks) {
      if (!sent.includes(track)) this.connection.addTrack(track, stream);
    }
  }

  // Looks for a way again, after the network has changed.
  restartIce() {
    if (this.state !== "closed") this.connection.restartIce();
  }

  // Signals are handled one after another, as they came.
  receive(signal) {
    this.#incoming = this.#incoming
      .then(() => this.#handle(signal))
      .catch((error) => {
        if (this.state !== "closed") console.warn(`${signal.type} could not be applied:`, error);
      });
  }

  // Ends this side's connection. The other side is told by the room.
  close() {
    clearInterval(this.#reviver);
    clearTimeout(this.#blip);
    this.connection.close();
  }

  #open() {
    const connection = new RTCPeerConnection({ iceServers: this.#settings.iceServers });
    this.connection = connection;
    this.#makingOffer = false;
    connection.onnegotiationneeded = () => this.#offer(connection);
    connection.onicecandidate = ({ candidate }) => {
      this.#post({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null });
    };
    connection.ontrack = ({ track, streams }) => {
      const stream = streams[0] ?? new MediaStream([track]);
      const isNew = this.stream?.id !== stream.id;
      this.stream = stream;
      track.onmute = track.onunmute = () => this.tell("change");
      if (isNew) this.tell("stream", stream);
      this.tell("change");
    };
    connection.onconnectionstatechange = () => {
      const state = connection.connectionState;
      clearTimeout(this.#blip);
      if (state === "failed") this.restartIce();
      if (state === "disconnected") this.#blip = setTimeout(() => this.restartIce(), BLIP);
      this.tell("change");
    };

    // Negotiated by agreement: both have it from the start, and neither has to wait for
    // the other's. It is also what there is to connect where nobody has a camera.
    const channel = connection.createDataChannel("peer", { negotiated: true, id: 0 });
    this.channel = channel;
    channel.binaryType = "arraybuffer";
    channel.onopen = () => {
      this.tell("open");
      this.tell("change");
    };
    channel.onclose = () => this.tell("change");
    channel.onmessage = ({ data }) => this.tell("data", data);

    if (this.#local) this.setStream(this.#local);
  }

  async #offer(connection) {
    try {
      this.#makingOffer = true;
      await connection.setLocalDescription();
      if (connection === this.connection) this.#describe();
    } catch (error) {
      if (connection.connectionState !== "closed") console.warn("no offer could be made:", error);
    } finally {
      if (connection === this.connection) this.#makingOffer = false;
    }
  }

  async #handle(signal) {
    if (this.state === "closed") return;
    if (signal.type === "ice-candidate") return this.#candidate(signal.candidate);

    const description = signal.offer ?? signal.answer;
    const { signalingState, currentRemoteDescription } = this.connection;
    const readyForOffer = !this.#makingOffer
      && (signalingState === "stable" || this.#isSettingRemoteAnswerPending);
    const collision = description.type === "offer" && !readyForOffer;
    this.#ignoreOffer = !this.#settings.polite && collision;
    if (this.#ignoreOffer) return;

    // setRemoteDescription takes the own offer back by itself. Chromium does not always
    // survive that for the first one (no candidates are gathered, or SCTP does not start),
    // and nothing hangs on it yet: a fresh connection answers instead.
    if (collision && !currentRemoteDescription) {
      this.connection.close();
      this.#open();
    }
    const { connection } = this;
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
    if (!this.connection.remoteDescription) this.#candidates.push(candidate);
    else await this.#addCandidate(candidate);
  }

  async #addCandidate(candidate) {
    try {
      await this.connection.addIceCandidate(candidate);
    } catch (error) {
      // Not every browser takes null, the end of candidates; nothing is lost without it.
      if (candidate && this.state !== "closed") console.warn("a candidate was refused:", error);
    }
  }

  #describe() {
    const { type, sdp } = this.connection.localDescription;
    this.#post({ type, [type]: { type, sdp } });
  }

  // Members beside those of the contract travel along with offers, answers and candidates.
  #post(signal) {
    this.#settings.post({
      ...signal,
      target: this.socketId,
      fromConnection: this.connectionId,
      toConnection: this.remoteConnectionId,
    });
  }
}
