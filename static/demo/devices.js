// Opens camera, microphone and screen, and says why one of them could not be opened.

import { recall } from "./memory.js";

/** @typedef {"camera" | "microphone"} Kind */
/** @typedef {"https" | "unsupported" | "blocked" | "missing" | "busy"} Reason */
/** @typedef {Partial<Record<Kind, Reason>>} Failures */

// Each member sends its video to each other member, so the video is small.
const VIDEO = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { max: 30 } };

const REASONS = {
  NotAllowedError: "blocked",
  SecurityError: "blocked",
  NotFoundError: "missing",
  OverconstrainedError: "missing",
};

/**
 * Opens the devices of these kinds, or as many of them as it can.
 * @param {Kind[]} kinds
 */
export async function openDevices(kinds) {
  /** @type {MediaStreamTrack[]} */
  const tracks = [];
  /** @type {Failures} */
  const failures = {};
  const open = async (some) => {
    try {
      const stream = await ask(some);
      tracks.push(...stream.getTracks());
    } catch (error) {
      for (const kind of some) failures[kind] = reasonOf(error);
    }
  };

  const blocked = await blockedKinds(kinds);
  const free = kinds.filter((kind) => !blocked.includes(kind));
  for (const kind of blocked) failures[kind] = "blocked";
  if (free.length) await open(free);
  // If one device fails, the browser gives neither. A person who said no is not asked again.
  if (free.length > 1 && ["missing", "busy"].includes(failures[free[0]] ?? "")) {
    for (const kind of free) {
      delete failures[kind];
      await open([kind]);
    }
  }
  return { tracks, failures };
}

/**
 * Opens a screen or a window that the person chooses. Resolves to null if the person chose none.
 */
export async function openScreen() {
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: false });
    const [track] = stream.getVideoTracks();
    track.contentHint = "detail"; // text must stay readable
    return track;
  } catch (error) {
    if (error.name === "NotAllowedError") return null;
    throw error;
  }
}

export const canShareScreen = () => typeof navigator.mediaDevices?.getDisplayMedia === "function";

/** @param {Kind[]} kinds */
async function ask(kinds) {
  const constraints = {};
  if (kinds.includes("microphone")) constraints.audio = chosen("microphone") ?? true;
  if (kinds.includes("camera")) constraints.video = { ...VIDEO, ...(chosen("camera") ?? { facingMode: "user" }) };
  return navigator.mediaDevices.getUserMedia(constraints);
}

// A wish, not a demand: the device may have been unplugged since it was chosen.
function chosen(kind) {
  const id = recall(kind);
  return id ? { deviceId: { ideal: id } } : null;
}

/** @returns {Reason} */
function reasonOf(error) {
  if (!navigator.mediaDevices?.getUserMedia) return isSecureContext ? "unsupported" : "https";
  return REASONS[error?.name] ?? "busy"; // some extensions reject with nothing
}

// The kinds that the person has blocked, if others are left to ask for. Asked for together with
// a blocked device, a browser gives neither. Not every browser can say it.
async function blockedKinds(kinds) {
  const blocked = [];
  for (const name of kinds) {
    try {
      const { state } = await navigator.permissions.query({ name });
      if (state === "denied") blocked.push(name);
    } catch {
      return [];
    }
  }
  return blocked.length < kinds.length ? blocked : [];
}

const SENTENCES = {
  https: () => "Browsers give camera and microphone only to pages whose address begins with https.",
  unsupported: () => "This browser cannot open camera and microphone.",
  blocked: (kinds) => kinds.length > 1
    ? "Camera and microphone are blocked. Allow them in your browser’s address bar, then press their buttons."
    : `The ${kinds[0]} is blocked. Allow it in your browser’s address bar, then press its button.`,
  missing: (kinds) => `No ${kinds.join(" or ")} was found.`,
  busy: (kinds) => kinds.length > 1
    ? "Camera and microphone did not start. Another program may be using them."
    : `The ${kinds[0]} did not start. Another program may be using it.`,
};

/**
 * Says why devices could not be opened.
 * @param {Failures} failures
 */
export function explainFailures(failures) {
  const byReason = {};
  for (const kind of ["camera", "microphone"]) {
    if (failures[kind]) (byReason[failures[kind]] ??= []).push(kind);
  }
  return Object.entries(byReason).map(([reason, kinds]) => SENTENCES[reason](kinds)).join(" ");
}

/**
 * Says what the failures mean for the call.
 * @param {Failures} failures
 */
export function explainConsequences({ camera, microphone }) {
  if (camera && microphone) return "You are in the call without them.";
  if (camera) return "The others hear you, but do not see you.";
  return microphone ? "The others see you, but do not hear you." : "";
}
