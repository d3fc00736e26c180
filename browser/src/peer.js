// One peer connection to one other member, by perfect negotiation: either side may change the
// call at any time. If both offer at once, the polite side gives way.
// https://www.w3.org/TR/webrtc/#perfect-negotiation-example
//
// The polite side gives way by a rollback, and after a rollback Chromium refuses the descriptions
// of other browsers. So on a live connection only the impolite side offers. The polite side asks
// for an offer, and its answer has what changed. Clients of version 1.0.0 do not know the question.

import { Emitter } from "./emitter.js";
import { refusalOf } from "./sending.js";
import { add, assign } from "./transceivers.js";

const PATIENCE = 10_000; // ms until a connection should be open
const BLIP = 3000; // ms that an interrupted connection has to mend itself
const ANSWER = 20_000; // ms until an offer should be answered
const MOST_TRANSCEIVERS = 32; // the other side can ask for no more
const RETRY = 1000; // ms until a refused description is sent anew; twice as long each time
const RETRIES = 6;

// Each description has an origin of its own (RFC 8866, 5.2).
const originOf = (description) => /^o=.*/m.exec(description?.sdp ?? "")?.[0];

// Reports whether an offer begins ICE, or restarts it.
const fragmentOf = (description) => /^a=ice-ufrag:.*/m.exec(description?.sdp ?? "")?.[0];
const restartsIce = (current, offer) => fragmentOf(current) !== fragmentOf(offer);

// Insecure contexts have getRandomValues, but not randomUUID.
export const randomId = () => Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36)).join("");

// Emits "change" (state, stream or channel), "stream", "open", "data", "drain" and "error".
export class Peer extends Emitter {
  /** @type {MediaStream | null} */
  stream = null; // what the other side sends

  // Signals of a connection that was hung up may still be on their way when the next
  // connection begins. So each end has an ID, and drops signals for any other ID.
  connectionId = randomId();
  remoteConnectionId = null;

  connection; // the RTCPeerConnection; a collision of first offers may replace it
  channel; // the RTCDataChannel

  #settings; // { polite, ice, post }
  #local = null;
  #incoming = Promise.resolve();
  #candidates = []; // wait for the remote description
  #reviver;
  #blip;

  #servers; // that the connection uses
  #ignoreOffer = false;
  #offers = 0; // the number of the newest offer, which its answer repeats
  #failures = 0; // in a row
  #holding = false; // whether offers wait for a retry, or for the next change of the call
  #isContentRefused = false; // whether the same offer would be refused again
  #isBroken = false; // whether the browser could not apply a description
  #wasRolledBack = false; // whether tracks may stay muted: a fault of Chromium
  #timer; // until an offer is answered, or sent anew
  #canAsk = false; // whether the other side knows the question for an offer
  #isAsking = false;
  #wantsRestart = false; // whether the question is about ICE as well

  /** @type {MediaStream | undefined} */
  #remote; // has the tracks that the other side sends at the time
  #isTold = false; // whether "stream" has shown it to the app

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

  // Reports whether the data was sent: only an open channel sends. If the channel is full or the
  // data is not fit to be sent, "error" says why, and the channel stays as it is.
  send(data) {
    if (this.channel.readyState !== "open") return false;
    try {
      const refusal = refusalOf(data, this.channel.bufferedAmount, this.connection.sctp?.maxMessageSize);
      if (refusal) throw refusal;
      this.channel.send(data);
      return true;
    } catch (error) {
      this.tell("error", error);
      return false;
    }
  }

  // Sends this stream instead of the previous one. With null it sends none.
  setStream(stream) {
    this.#local = stream;
    if (this.state === "closed") return;
    // The first description takes the tracks that there are then.
    if (this.connection.currentRemoteDescription && this.#assign().length) this.#negotiate();
    if (this.#holding) this.#queue(() => this.#resume(true));
  }

  // Looks for a new path, after the network has changed.
  restartIce() {
    this.#queue(async () => {
      if (this.state === "closed") return;
      await this.#refresh();
      if (this.state === "closed") return;
      if (this.#asks()) this.#wantsRestart = true;
      else this.connection.restartIce();
      if (this.#holding) await this.#resume(true);
      else if (this.#wantsRestart) this.#negotiate();
    });
  }

  // Handles signals one by one, in the order of arrival.
  receive(signal) {
    this.#queue(() => this.#handle(signal));
  }

  // Ends this side's connection. The room tells the other side.
  close() {
    clearInterval(this.#reviver);
    for (const timer of [this.#blip, this.#timer]) clearTimeout(timer);
    this.connection.close();
  }

  #open() {
    this.#servers = this.#settings.ice.servers;
    const connection = new RTCPeerConnection({ iceServers: this.#servers });
    this.connection = connection;
    connection.onnegotiationneeded = () => this.#negotiate();
    connection.onicecandidate = ({ candidate }) => {
      this.#post({ type: "ice-candidate", candidate: candidate?.toJSON() ?? null });
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
    channel.onbufferedamountlow = () => this.tell("drain");
  }

  // ---- Offers

  // Whether this side asks for offers. If that fails, it offers by itself.
  #asks() {
    return this.#canAsk && this.#settings.polite && !this.#failures && !!this.connection.currentRemoteDescription;
  }

  // Offers what has changed, or asks for an offer.
  #negotiate() {
    if (this.#holding) return;
    if (this.#asks()) this.#ask();
    else this.#queue(() => this.#apply(() => this.#offer()));
  }

  #ask() {
    if (this.#isAsking) return;
    this.#isAsking = true;
    const kinds = this.#assign().map(({ kind }) => kind);
    const question = this.#post({ type: "signal", data: { type: "negotiate", kinds, restart: this.#wantsRestart } });
    this.#expect(question, () => this.#isAsking);
  }

  // Offers because the other side asks. If an offer is under way, its answer has what changed.
  async #asked({ kinds = [], restart }) {
    const { connection } = this;
    if (restart) {
      await this.#refresh();
      connection.restartIce();
    }
    for (const kind of kinds) {
      if (connection.getTransceivers().length < MOST_TRANSCEIVERS) connection.addTransceiver(kind, { direction: "recvonly" });
    }
    await this.#apply(() => this.#offer());
  }

  // If the connection is not stable, it needs negotiation again when it is.
  async #offer() {
    const { connection } = this;
    if (connection.signalingState !== "stable" || this.#holding) return;
    if (!connection.currentRemoteDescription) await this.#refresh();
    if (this.#wantsRestart) connection.restartIce();
    this.#wantsRestart = false;
    for (const track of this.#assign()) add(connection, track);
    await connection.setLocalDescription();
    this.#offers++;
    this.#sendOffer();
  }

  #sendOffer() {
    const { connection } = this;
    const number = this.#offers;
    this.#expect(this.#describe(number), () => number === this.#offers && connection === this.connection
      && connection.signalingState === "have-local-offer");
  }

  // Waits for the answer of the server, and then for that of the other side.
  async #expect(posting, isPending) {
    clearTimeout(this.#timer);
    const answer = await posting;
    if (!isPending()) return;
    if (answer.status !== 202) return this.#hold(answer);
    const late = new Error(`${this.userId ?? this.socketId} did not answer an offer within ${ANSWER / 1000} seconds.`);
    this.#timer = setTimeout(() => isPending() && this.#hold(late), ANSWER);
  }

  // Negotiates again later, and the call goes on as it was. The first of several failures is reported. But a member that has just
  // left is not an error: user-disconnected follows.
  #hold(error) {
    if (this.#failures === (error.status === 404 ? 1 : 0)) this.tell("error", error);
    this.#holding = true;
    this.#isAsking = false;
    this.#isContentRefused = error.status === 413 || error.status === 422;
    clearTimeout(this.#timer);
    if (this.#failures < RETRIES) this.#timer = setTimeout(() => this.#resume(), RETRY * 2 ** this.#failures);
    this.#failures++;
  }

  // Applies descriptions. If the browser cannot, a new connection follows.
  async #apply(act) {
    try {
      await act();
    } catch (error) {
      if (this.state === "closed") return;
      this.#isBroken = true;
      this.#hold(error);
    }
  }

  // Negotiates again after a refusal. The same offer is sent again, unless its content was refused
  // and the call has changed meanwhile.
  async #resume(hasChanged = false) {
    const { connection } = this;
    if (!this.#holding || this.state === "closed") return;
    this.#holding = false;
    clearTimeout(this.#timer);
    // A first offer cannot be rolled back: see #applyOffer.
    if (!connection.currentRemoteDescription || this.#isBroken) return this.#beginAnew();
    if (connection.signalingState !== "have-local-offer") return this.#negotiate();
    if (!hasChanged || !this.#isContentRefused) return this.#sendOffer();
    await connection.setLocalDescription({ type: "rollback" });
    this.#wasRolledBack = true;
    this.#negotiate();
  }

  // The other side may know the ID of the former connection.
  #beginAnew() {
    this.connectionId = randomId();
    this.remoteConnectionId = null;
    this.#replace();
  }

  #replace() {
    this.#isBroken = this.#isAsking = this.#wasRolledBack = false;
    this.connection.close();
    this.#open();
  }

  // ---- Signals

  #queue(act) {
    this.#incoming = this.#incoming.then(act).catch((error) => {
      if (this.state !== "closed") this.tell("error", error);
    });
  }

  async #handle(signal) {
    if (this.state === "closed") return;
    if (signal.type === "ice-candidate") return this.#candidate(signal.candidate);
    if (signal.type === "signal") return this.#asked(signal.data);
    this.#canAsk = !!signal.canAsk;
    await this.#apply(() => signal.type === "offer" ? this.#applyOffer(signal) : this.#applyAnswer(signal));
  }

  async #applyOffer({ offer, offerNumber }) {
    // A collision: one of the two offers is ignored. If it is this side's offer,
    // setRemoteDescription rolls it back. In Chromium this may break the first negotiation: no
    // candidates are gathered, or SCTP does not start. Nothing uses the connection yet, so a new
    // connection answers instead.
    const isCollision = this.connection.signalingState === "have-local-offer";
    this.#ignoreOffer = isCollision && !this.#settings.polite && !this.#holding;
    if (this.#ignoreOffer) return;
    if (isCollision && !this.connection.currentRemoteDescription) this.#replace();
    const { connection } = this;
    // Nothing waits between the two descriptions.
    if (restartsIce(connection.currentRemoteDescription, offer)) {
      this.#wantsRestart = false;
      await this.#refresh();
    }
    await connection.setRemoteDescription(offer);
    this.#assign();
    await connection.setLocalDescription();
    clearTimeout(this.#timer);
    this.#isAsking = false;
    this.#answer(connection, offerNumber);
    await this.#addCandidates(connection);
    this.#settled();
  }

  async #applyAnswer({ answer, offerNumber = this.#offers }) {
    const { connection } = this;
    // The answer belongs to an offer that was taken back.
    if (offerNumber !== this.#offers || connection.signalingState === "stable") return;
    await connection.setRemoteDescription(answer);
    clearTimeout(this.#timer);
    await this.#addCandidates(connection);
    this.#settled();
  }

  // Sends the answer again while the server refuses it, until another description follows.
  async #answer(connection, offerNumber) {
    const origin = originOf(connection.localDescription);
    const isNewest = () => originOf(this.connection.localDescription) === origin;
    for (let attempt = 0; isNewest(); attempt++) {
      const answer = await this.#describe(offerNumber);
      if (answer.status === 202 || !isNewest()) return;
      if (attempt === 0) this.tell("error", answer);
      if (attempt === RETRIES) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY * 2 ** attempt));
    }
  }

  async #candidate(candidate) {
    // The candidate belongs to the offer that was ignored. New candidates come with the answer.
    if (this.#ignoreOffer) return;
    this.#candidates.push(candidate);
    // If an offer is under way, the candidate may belong to its answer, which is sent anew if the
    // server refuses it.
    const { remoteDescription, signalingState } = this.connection;
    if (remoteDescription && signalingState === "stable") await this.#addCandidates(this.connection);
  }

  async #addCandidates(connection) {
    for (const candidate of this.#candidates.splice(0)) {
      // The candidate belongs to an offer that did not arrive.
      const fragment = candidate?.usernameFragment;
      if (fragment && !connection.remoteDescription.sdp.includes(`a=ice-ufrag:${fragment}`)) continue;
      try {
        await connection.addIceCandidate(candidate);
      } catch (error) {
        // Not every browser accepts null, the end of candidates. Without a candidate another is used.
        if (candidate && this.state !== "closed") console.debug("a candidate was refused:", error);
      }
    }
  }

  // Both sides agree on a description: shows what the other side sends from now on.
  #settled() {
    if (this.state === "closed") return;
    this.#failures = 0;
    this.#holding = false;
    if (this.#wasRolledBack) return this.#beginAnew();
    const tracks = this.connection.getTransceivers()
      .filter(({ currentDirection }) => /recv/.test(currentDirection))
      .map(({ receiver }) => receiver.track);
    const remote = this.#remote ??= new MediaStream();
    const shown = remote.getTracks();
    for (const track of shown) if (!tracks.includes(track)) remote.removeTrack(track);
    for (const track of tracks) {
      track.onmute = track.onunmute = () => this.tell("change");
      if (!shown.includes(track)) remote.addTrack(track);
    }
    this.stream = tracks.length ? remote : null;
    if (this.stream && !this.#isTold) this.tell("stream", remote);
    this.#isTold ||= !!this.stream;
    this.tell("change");
    if (this.#assign().length || this.#wantsRestart) this.#negotiate();
  }

  #assign() {
    const fail = (error) => this.state === "closed" || this.tell("error", error);
    return assign(this.connection, this.#local, fail);
  }

  #describe(offerNumber) {
    const { type, sdp } = this.connection.localDescription;
    return this.#post({ type, [type]: { type, sdp }, offerNumber, canAsk: true });
  }

  // Gives the connection credentials that are good, before it gathers candidates. In Chromium the
  // offer that follows restarts ICE.
  async #refresh() {
    const { connection } = this;
    const { ice } = this.#settings;
    if (ice.isStale()) await ice.renewed();
    if (this.#servers === ice.servers || connection.signalingState === "closed") return;
    this.#servers = ice.servers;
    connection.setConfiguration({ ...connection.getConfiguration(), iceServers: ice.servers });
  }

  // The contract does not name these further members, but the server relays all members.
  #post(signal) {
    const ends = { fromConnection: this.connectionId, toConnection: this.remoteConnectionId };
    const { data } = signal;
    return this.#settings.post({ ...signal, target: this.socketId, ...data ? { data: { ...data, ...ends } } : ends });
  }
}
