// What this page sends to the others: microphone, camera, and the screen in place of the camera.

import { canShareScreen, openDevices, openScreen } from "./devices.js";

/** @typedef {import("./devices.js").Kind} Kind */

// Dispatches "change" (detail: whether the tracks that are sent have changed), and "ended"
// (detail: the kind of a device that stopped by itself).
export class OwnMedia extends EventTarget {
  /** @type {Record<Kind | "screen", MediaStreamTrack | null>} */
  #tracks = { microphone: null, camera: null, screen: null };
  // The same stream as long as there are tracks. For the others, tracks change in it, while a
  // new stream would tear picture and sound apart.
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AbortController | null} */
  #question = null;
  #stops = 0;

  // What to send, or null if there is nothing.
  get stream() {
    return this.#stream;
  }

  get sharing() {
    return this.#tracks.screen !== null;
  }

  // What the self-view shows.
  get picture() {
    return this.#tracks.screen ?? this.#tracks.camera;
  }

  get microphone() {
    return this.#tracks.microphone;
  }

  // True or false if the device is on or off, null if it is not open.
  enabled(kind) {
    return this.#tracks[kind]?.enabled ?? null;
  }

  // Whether the browser has neither given nor refused the devices yet.
  get asking() {
    return this.#question !== null;
  }

  // The settings of the device that is open. There are none if the browser does not tell them.
  settings(kind) {
    try {
      return this.#tracks[kind]?.getSettings() ?? {};
    } catch {
      return {};
    }
  }

  /**
   * Opens devices. Resolves to what failed, or to null if the question was cancelled.
   * @param {Kind[]} kinds
   */
  async open(kinds) {
    this.#question?.abort();
    const question = new AbortController();
    this.#question = question;
    this.#changed();
    const answer = await unlessAborted(openDevices(kinds), question.signal);
    if (!answer) return null;
    this.#question = null;
    for (const track of answer.tracks) this.#put(track.kind === "video" ? "camera" : "microphone", track);
    this.#changed();
    return answer.failures;
  }

  // Goes on without the answer to the browser's question.
  cancel() {
    this.#question?.abort();
    this.#question = null;
    this.#changed();
  }

  // Turns an open device off or on, and returns whether there was one.
  toggle(kind) {
    const track = this.#tracks[kind];
    if (!track) return false;
    track.enabled = !track.enabled;
    this.#changed();
    return true;
  }

  // Opens the device that the person has chosen now, in place of the open one.
  async reopen(kind) {
    if (!this.#tracks[kind]) return {};
    const failures = await this.open([kind]);
    if (failures?.[kind] !== "busy") return failures;
    // Phones open one camera at a time.
    this.#tracks[kind]?.stop();
    return this.open([kind]);
  }

  // Sends a screen instead of the camera. Rejects if the browser cannot do it.
  async share() {
    if (!canShareScreen()) throw new TypeError("no getDisplayMedia");
    const stops = this.#stops;
    const track = await openScreen();
    if (!track) return;
    if (stops !== this.#stops) return track.stop(); // the call is over
    track.addEventListener("ended", () => this.unshare()); // by the browser's own button
    this.#put("screen", track);
    this.#changed();
  }

  unshare() {
    this.#tracks.screen?.stop();
    this.#tracks.screen = null;
    this.#changed();
  }

  stop() {
    this.#stops++;
    for (const kind of Object.keys(this.#tracks)) {
      this.#tracks[kind]?.stop();
      this.#tracks[kind] = null;
    }
    this.cancel();
  }

  #put(kind, track) {
    const former = this.#tracks[kind];
    if (former) {
      track.enabled = former.enabled;
      former.stop();
    }
    this.#tracks[kind] = track;
    if (kind === "screen") return;
    track.addEventListener("ended", () => {
      if (this.#tracks[kind] !== track) return;
      this.#tracks[kind] = null;
      this.#changed();
      this.dispatchEvent(new CustomEvent("ended", { detail: kind }));
    });
  }

  #changed() {
    const { microphone, camera, screen } = this.#tracks;
    const wanted = [microphone, screen ?? camera].filter((track) => track !== null);
    const sent = this.#stream?.getTracks() ?? [];
    const stale = sent.filter((track) => !wanted.includes(track));
    const fresh = wanted.filter((track) => !sent.includes(track));
    if (fresh.length) this.#stream ??= new MediaStream();
    for (const track of stale) this.#stream?.removeTrack(track);
    for (const track of fresh) this.#stream?.addTrack(track);
    if (!wanted.length) this.#stream = null;
    this.dispatchEvent(new CustomEvent("change", { detail: stale.length + fresh.length > 0 }));
  }
}

// A browser cannot take its question back, and the answer may never come. Devices that it gives
// too late are closed again.
/**
 * @param {ReturnType<typeof openDevices>} opening
 * @param {AbortSignal} signal
 */
function unlessAborted(opening, signal) {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(null));
    opening.then((answer) => {
      if (signal.aborted) answer.tracks.forEach((track) => track.stop());
      resolve(answer);
    });
  });
}
