// The stage: a tile for each peer and one for oneself, what to do next where there is
// none, and the buttons of the call.

import { byId, part, stamp } from "/assets/page.js";
import { paintAvatar } from "./view.js";

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

export function showPeer(peer, name, { media, latency }) {
  const tile = tiles.get(peer.socketId) ?? addTile(peer.socketId, name);
  const video = part(tile, "video", HTMLVideoElement);
  if (video.srcObject !== peer.stream) {
    video.srcObject = peer.stream;
    play(video, part(tile, ".unmute"));
  }
  tile.dataset.state = peer.state;
  tile.dataset.dataChannel = peer.channel.readyState;
  tile.dataset.video = sendsVideo(peer) && media.camera ? "on" : "off";
  tile.toggleAttribute("data-muted", peer.state === "connected" && !media.microphone);
  part(tile, ".tile-state").textContent = stateText(peer);
  part(tile, ".tile-latency").textContent = latency ? `${latency} ms` : "";
}

export function removePeer(socketId) {
  const tile = tiles.get(socketId);
  if (!tile) return;
  tiles.delete(socketId);
  part(tile, "video", HTMLVideoElement).srcObject = null;
  tile.remove();
  countTiles();
}

export function showSelf(call, name) {
  const tile = byId("self-tile");
  const video = part(tile, "video", HTMLVideoElement);
  tile.hidden = !call.active;
  if (video.srcObject !== call.stream) video.srcObject = call.stream;
  tile.dataset.video = call.enabled("video") ? "on" : "off";
  tile.toggleAttribute("data-muted", call.active && call.enabled("audio") === false);
  part(tile, ".tile-state").textContent = call.stream ? "" : "Data only";
  paintAvatar(part(tile, ".avatar"), name);
  countTiles();
}

// With others in the room, but no call yet, the way on is the Call button, not the link.
export function showEmpty(call, { others, withCamera }) {
  const empty = !call.active && !call.peers.size;
  byId("stage-empty").hidden = !empty && !(call.active && others === 0);
  byId("stage-empty").toggleAttribute("data-beside", call.active);
  byId("share-box").hidden = others > 0;
  if (others === 0) {
    byId("empty-title").textContent = "You are alone here";
    byId("empty-text").textContent = call.active
      ? "Share the link. Whoever comes is called at once."
      : "Share the link, or open it in a second tab. Whoever opens it comes into this room.";
  } else {
    byId("empty-title").textContent = others === 1 ? "One other is here" : `${others} others are here`;
    byId("empty-text").textContent = withCamera
      ? "Press Call to reach everybody in the room. They see and hear you, and may answer with a camera of their own."
      : "Press Call to be connected with everybody in the room by a data channel.";
  }
}

export function showControls(call, { others, withCamera, callers }) {
  const ringing = call.incoming && !call.starting;
  byId("call").hidden = call.active && (call.stream !== null || call.starting);
  byId("call", HTMLButtonElement).disabled = call.starting;
  byId("call").classList.toggle("primary", !call.active);
  byId("call-text").textContent = callText(call, withCamera);
  byId("hangup").hidden = !call.active && !call.starting && !call.peers.size;
  for (const [id, kind] of [["microphone", "audio"], ["camera", "video"]]) {
    const on = call.enabled(kind);
    byId(id).hidden = on === null;
    byId(id).setAttribute("aria-pressed", String(Boolean(on)));
  }
  byId("incoming").hidden = !ringing;
  if (ringing) byId("incoming-text").textContent = incomingText(callers, withCamera);
  byId("stage").toggleAttribute("data-ringing", ringing);
  byId("direct-choice").hidden = ![...call.peers.values()].some((peer) => peer.channel.readyState === "open");
  byId("stage").dataset.others = String(others);
}

function callText(call, withCamera) {
  if (call.starting) return withCamera ? "Starting camera…" : "Connecting…";
  if (call.active) return "Add camera";
  if (call.incoming) return "Answer";
  return "Call";
}

function incomingText(callers, withCamera) {
  const names = new Intl.ListFormat("en").format(callers);
  const verb = callers.length === 1 ? "is" : "are";
  return withCamera
    ? `${names} ${verb} calling. You see and hear them already; Answer turns your camera on.`
    : `${names} ${verb} calling. Answer to be connected with everybody here.`;
}

function stateText(peer) {
  if (peer.state === "connected" && !peer.stream) {
    return peer.channel.readyState === "open" ? "Data channel" : "Opening channel";
  }
  return STATE_TEXT[peer.state] ?? peer.state;
}

function addTile(socketId, name) {
  const tile = stamp("tile-template");
  tile.dataset.socketId = socketId;
  tile.setAttribute("aria-label", name);
  part(tile, ".tile-name").textContent = name;
  paintAvatar(part(tile, ".avatar"), name);
  tiles.set(socketId, tile);
  byId("tiles").append(tile);
  countTiles();
  return tile;
}

// A browser that wants a click before sound gets its click, and shows the picture meanwhile.
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
