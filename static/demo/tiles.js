// The stage: a tile for each peer and for the own video, a hint if there are no tiles, and the
// buttons of the call.

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

// If others are in the room and nobody calls yet, the next step is the Call button, not the link.
export function showEmpty(call, { others, withCamera }) {
  const empty = !call.active && !call.peers.size;
  byId("stage-empty").hidden = !empty && !(call.active && others === 0);
  byId("stage-empty").toggleAttribute("data-beside", call.active);
  byId("share-box").hidden = others > 0;
  if (others === 0) {
    byId("empty-title").textContent = "You are alone here";
    byId("empty-text").textContent = call.active
      ? "Share the link. Everybody who joins is called at once."
      : "Share the link to this room, or open it in a second tab.";
  } else {
    byId("empty-title").textContent = others === 1 ? "One other person is here" : `${others} other people are here`;
    byId("empty-text").textContent = withCamera
      ? "Press Call to reach everybody in the room. They see and hear you, and may answer with their cameras."
      : "Press Call to connect with everybody in the room by data channel.";
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
    ? `${names} ${verb} calling. You already see and hear them. Press Answer to turn on your camera.`
    : `${names} ${verb} calling. Press Answer to connect with everybody here.`;
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
