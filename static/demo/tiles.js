// The tiles of the stage: one for each peer, and one for the own video.

import { byId, part, stamp } from "../assets/page.js";
import { mayFill, release } from "./full-view.js";
import { recall } from "./memory.js";
import { isolate } from "./names.js";
import { paintAvatar } from "./view.js";

// A call that comes about takes less time to connect (ms).
const PATIENCE = 15_000;

const STATE_TEXT = {
  new: "Calling",
  connecting: "Connecting",
  connected: "Connected",
  disconnected: "Interrupted",
  failed: "Trying again",
  closed: "Ended",
};

const tiles = new Map();

const sendsVideo = ({ stream }) => stream?.getVideoTracks().some((track) => !track.muted) ?? false;

/**
 * @param {import("../peers.js").Peer} peer
 * @param {string} name
 * @param {ReturnType<import("./call.js").Call["detailsOf"]>} details
 */
export function showPeer(peer, name, details) {
  const tile = tiles.get(peer.socketId) ?? addTile(peer.socketId, name);
  const { media, latency } = details;
  const video = part(tile, "video", HTMLVideoElement);
  if (video.srcObject !== peer.stream) {
    video.srcObject = peer.stream;
    play(video, part(tile, ".unmute"));
  }
  tile.dataset.state = peer.state;
  tile.dataset.dataChannel = peer.channel.readyState;
  tile.dataset.video = sendsVideo(peer) && (media.screen || media.camera) ? "on" : "off";
  tile.toggleAttribute("data-screen", media.screen);
  tile.toggleAttribute("data-muted", peer.state === "connected" && media.microphone !== true);
  part(tile, ".tile-state").textContent = STATE_TEXT[peer.state] ?? peer.state;
  part(tile, ".tile-latency").textContent = latency ? `${latency} ms` : "";
  const note = part(tile, ".tile-note");
  const text = noteOf(peer, isolate(name), details);
  if (note.textContent !== text) note.textContent = text; // else it would be read out again
}

// What a person should know who looks at the tile and wonders.
function noteOf(peer, name, { media, since, isBroken }) {
  if (peer.state === "disconnected") return `The connection to ${name} is interrupted. It should come back by itself.`;
  if (peer.state === "failed") return `The connection to ${name} is lost. This page keeps trying.`;
  if (peer.state !== "connected") {
    if (performance.now() - since < PATIENCE) return "";
    if (isBroken) return `This browser could not set up the call with ${name}. Reload the page, or use another browser.`;
    return peer.connection.remoteDescription
      ? `No way to ${name} was found yet. A firewall may block the call.`
      : `${name} has not answered yet.`;
  }
  if (peer.channel.readyState !== "open" || media.screen) return "";
  const lacks = [media.camera === null && "camera", media.microphone === null && "microphone"].filter(Boolean);
  return lacks.length ? `${name} has no ${lacks.join(" or ")} on.` : "";
}

export function removePeer(socketId) {
  const tile = tiles.get(socketId);
  if (!tile) return;
  release(tile);
  tiles.delete(socketId);
  part(tile, "video", HTMLVideoElement).srcObject = null;
  tile.remove();
  countTiles();
}

/**
 * @param {import("./call.js").Call} call
 * @param {string} name
 */
export function showSelf({ active, own }, name) {
  const tile = byId("self-tile");
  const video = part(tile, "video", HTMLVideoElement);
  if (!active) release(tile);
  tile.hidden = !active;
  if (video.srcObject !== own.stream) video.srcObject = own.stream;
  tile.dataset.video = own.sharing || own.enabled("camera") ? "on" : "off";
  tile.toggleAttribute("data-screen", own.sharing);
  // A person expects a mirror of the face, but not of what the back of a phone sees.
  tile.toggleAttribute("data-mirror", !own.sharing && own.settings("camera").facingMode !== "environment");
  tile.toggleAttribute("data-muted", own.enabled("microphone") !== true);
  part(tile, ".tile-note").textContent = own.sharing ? "" : selfNote(own);
  part(tile, ".tile-state").textContent = own.sharing ? "Your screen" : "";
  paintAvatar(part(tile, ".avatar"), name);
  countTiles();
}

function selfNote(own) {
  return own.stream ? "" : "The others do not see or hear you.";
}

export function showSpeaking(id, speaking) {
  const tile = id === "self" ? byId("self-tile") : tiles.get(id);
  tile?.toggleAttribute("data-speaking", speaking);
}

// From now on the sound of all tiles comes out of this speaker.
export function setSpeaker(id) {
  for (const tile of tiles.values()) useSpeaker(part(tile, "video", HTMLVideoElement), id);
}

async function useSpeaker(video, id) {
  try {
    await video.setSinkId?.(id);
  } catch {
    // The speaker is gone or forbidden, so the sound stays on the former one.
  }
}

function addTile(socketId, name) {
  const tile = stamp("tile-template");
  tile.dataset.socketId = socketId;
  tile.setAttribute("aria-label", name);
  part(tile, ".tile-name").textContent = name;
  paintAvatar(part(tile, ".avatar"), name);
  const full = part(tile, ".tile-full");
  full.setAttribute("aria-label", `Only ${isolate(name)}, full screen`);
  full.title = "Full screen";
  mayFill(tile, full);
  const speaker = recall("speaker");
  if (speaker) useSpeaker(part(tile, "video", HTMLVideoElement), speaker);
  tiles.set(socketId, tile);
  byId("tiles").append(tile);
  countTiles();
  return tile;
}

// If the browser wants a click before it plays sound, the video is muted until that click.
async function play(video, unmute) {
  try {
    await video.play();
  } catch (error) {
    if (error.name !== "NotAllowedError") return;
    video.muted = true;
    video.play().catch(() => {});
    unmute.hidden = false;
    unmute.onclick = () => {
      video.muted = false;
      unmute.hidden = true;
    };
  }
}

function countTiles() {
  byId("tiles").dataset.count = String(tiles.size + (byId("self-tile").hidden ? 0 : 1));
}

mayFill(byId("self-tile"), part(byId("self-tile"), ".tile-full"));
