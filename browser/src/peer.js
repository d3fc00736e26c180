// One peer connection to one other member, by perfect negotiation: either side may change the
// call at any time. If both do so at once, the polite side gives way.
// https://www.w3.org/TR/webrtc/#perfect-negotiation-example

import { Emitter } from "./emitter.js";

const PATIENCE = 10_000; // ms until a connection should be open
const BLIP = 3000; // ms that an interrupted connection has to mend itself

// Insecure contexts have getRandomValues, but not randomUUID.
const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36)).join("");

// Emits "change" (state, stream or channel), "stream", "open" and "data".
export class Peer extends Emitter {
  /** @type {MediaStream | null} */
  stream = null; // what the other side sends

  // Signals of a connection that was hung up may still be on their way when the next
  // connection begins. So each end has an ID, and drops signals for any other ID.
  connectionId = randomId();
  remoteConnectionId = null;

  connection; // the RTCPeerConnection; a collision of offers may replace it
  channel; // the RTCDataChannel

  #settings; // { polite, iceServers, post }
  #local = null;
  #makingOffer = false;
  #ignoreOffer = false;
  #isSettingRemoteAnswerPending = false;
  #candidates = []; // wait for the remote description
  #incoming = Promise.resolve();
  #reviver;
  #blip;

  constructor(user, settings) {
    super();
    this.userId = user.userId;
    this.socketId = user.socketId;
    this.#settings = settings;
    this.#open();

    // A connection fails only after it has tried candidates. Without candidates it would wait for ever.
    this.#reviver = setInterval(() => {
      const { signalingState, remoteDescription } = this.connection;
      const waiting = ["new", "connecting"].includes(this.state);
      if (waiting && remoteDescription && signalingState === "stable") this.restartIce();
    }, PATIENCE);
  }

  get state() {
    return this.connection.connectionState;
  }

  // Reports whether the data was sent: only an open channel sends.
  send(data) {
    if (this.channel.readyState !== "open") return false;
    this.channel.send(data);
    return true;
  }

  // Sends this stream instead of the previous one. With null it sends none.
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

  // Looks for a new path, after the network has changed.
  restartIce() {
    if (this.state !== "closed") this.connection.restartIce();
  }

  // Handles signals one by one, in the order of arrival.
  receive(signal) {
    this.#incoming = this.#incoming
      .then(() => this.#handle(signal))
      .catch((error) => {
        if (this.state !== "closed") console.warn(`${signal.type} could not be applied:`, error);
      });
  }

  // Ends this side's connection. The room tells the other side.
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

    // Both sides create the channel with the same id, so neither waits for the other's. If
    // nobody has a camera, the channel is all that the connection carries.
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
      if (connection.connectionState !== "closed") console.warn("the offer failed:", error);
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

    // setRemoteDescription rolls back our own offer. In Chromium this may break the first
    // negotiation: no candidates are gathered, or SCTP does not start. Nothing uses the
    // connection yet, so a new connection answers instead.
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
    // The candidate belongs to the offer that was ignored. New candidates come with the answer.
    if (this.#ignoreOffer) return;
    if (!this.connection.remoteDescription) this.#candidates.push(candidate);
    else await this.#addCandidate(candidate);
  }

  async #addCandidate(candidate) {
    try {
      await this.connection.addIceCandidate(candidate);
    } catch (error) {
      // Not every browser accepts null, the end of candidates. Nothing is lost without it.
      if (candidate && this.state !== "closed") console.warn("a candidate was refused:", error);
    }
  }

  #describe() {
    const { type, sdp } = this.connection.localDescription;
    this.#post({ type, [type]: { type, sdp } });
  }

  // The contract does not name the two connection IDs, but the server relays all members.
  #post(signal) {
    this.#settings.post({
      ...signal,
      target: this.socketId,
      fromConnection: this.connectionId,
      toConnection: this.remoteConnectionId,
    });
  }
}
