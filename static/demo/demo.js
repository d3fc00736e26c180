// The demo: connects the events of the server, the actions of the person, and the page.

import { copyText } from "/assets/copy.js";
import { byId } from "/assets/page.js";
import { io } from "/client.js";
import { joinRoom } from "/peers.js";
import { Call } from "./call.js";
import { addMessage, addRemark, clearChat, setTyping, startChat } from "./chat.js";
import { logEvent } from "./event-log.js";
import { explain, isNews } from "./problems.js";
import { removePeer, showControls, showEmpty, showPeer, showSelf } from "./tiles.js";
import {
  dismissNotice, notify, showJoin, showJoining, showJoinProblem,
  showMembers, showRoom, showStatus,
} from "./view.js";

const socket = io();
const call = new Call();

// wish is the room that the person wants to join. room is the room that we are in.
/** @type {{ roomId: string, userId: string } | null} */
let wish = null;
/** @type {import("/peers.js").Room | null} */
let room = null;

const on = (target, type, listener) => target.addEventListener(type, (event) => listener(event.detail, event));
const nameOf = (socketId) => room?.members.get(socketId)?.userId ?? "Somebody";
const others = () => [...room?.members.keys() ?? []].filter((socketId) => socketId !== socket.id);
const shareLink = () => `${location.origin}/demo/?room=${encodeURIComponent(room?.roomId ?? "")}`;

// ---- The connection

const showOpen = () => showStatus("open", socket.io.engine.transport.name);

socket.onAny(logEvent);
socket.on("connect", showOpen);
socket.io.on("reconnect", showOpen);
socket.io.on("reconnect_attempt", () => showStatus("reconnecting"));
socket.on("disconnect", () => showStatus(socket.active ? "reconnecting" : "closed"));
socket.on("error", (problem) => {
  if (room && isNews(problem)) notify(explain(problem), { kind: "warn" });
});

socket.on("disconnected", ({ reason, detail, retryAfter }) => {
  const soon = retryAfter ? `in ${Math.ceil(retryAfter / 1000)} s` : "shortly";
  if (reason === "kicked") return leaveView(`An operator disconnected you${detail ? `: “${detail}”` : ""}. You may join again.`);
  if (reason === "replaced") {
    const action = { label: "Connect again", run: reconnect };
    return notify("Another window took over this session.", { kind: "warn", action });
  }
  const words = {
    "at capacity": `The server is full now. Trying again ${soon}.`,
    "rate limited": `Too many connections from here in a short time. Trying again ${soon}.`,
    "draining": `The server is restarting. Trying again ${soon}.`,
    "slow consumer": "This page was too slow, so the server disconnected it. It joins again now.",
  };
  notify(words[reason] ?? `The server ended the connection (${reason}). Trying again ${soon}.`, { kind: "warn" });
});

socket.on("server-shutdown", () => {
  notify("The server is restarting. The page reconnects by itself; calls go on meanwhile.", { kind: "warn" });
});

window.addEventListener("offline", () => {
  notify("You are offline. The page reconnects by itself when the network is back.", { kind: "warn", seconds: 0 });
});
window.addEventListener("online", dismissNotice);

// ---- The room

async function join({ roomId, userId }) {
  try {
    enter(await joinRoom(socket, roomId, { userId, connect: false }));
  } catch (problem) {
    const fields = {};
    for (const { field, message } of problem.errors ?? []) {
      if (field === "userId") fields.name = message;
      if (field === "roomId") fields.room = message;
    }
    leaveView("");
    showJoinProblem(Object.keys(fields).length ? "" : explain(problem), fields);
  }
}

/** @param {import("/peers.js").Room} entered */
function enter(entered) {
  if (entered.roomId !== wish?.roomId) return entered.leave();
  room = entered;
  call.enter(room);
  room.on("members", render);
  showJoining(false);
  showRoom(room.roomId, shareLink());
  history.replaceState(null, "", `?${new URLSearchParams({ room: room.roomId, name: room.userId })}`);
  clearChat();
  render();
  byId("room-view").focus(); // the element that had the focus is hidden now
}

// Another window took over the session. This page gets a new one.
function reconnect() {
  socket.connect();
  if (wish) join(wish);
}

function leaveView(text) {
  wish = null;
  room?.leave();
  room = null;
  call.enter(null);
  showJoining(false);
  showJoin();
  if (text) notify(text, { kind: "warn", seconds: 0 });
}

// After a session that could not be resumed, the client joins again by itself.
socket.on("room-joined", ({ roomId }) => {
  if (room?.roomId === roomId) addRemark("You were away for a moment, and are back now.");
});

// A leave by the person was shown at once, and the next join may be under way. So only the
// operators' reasons are shown here.
socket.on("room-left", ({ reason }) => {
  if (reason === "kicked") leaveView("An operator removed you from the room.");
  if (reason === "room closed") leaveView("An operator closed the room.");
});

socket.on("user-connected", ({ userId }) => addRemark(`${userId} joined`));
socket.on("user-disconnected", ({ socketId, userId, reason }) => {
  setTyping(socketId, userId, false);
  addRemark(["left", "client disconnect"].includes(reason) ? `${userId} left` : `${userId} is gone (${reason})`);
});

socket.on("announcement", ({ data }) => {
  notify(`From the operator: ${typeof data === "string" ? data : JSON.stringify(data)}`, { seconds: 0 });
});

// ---- The call

on(call, "peer", (peer) => showPeer(peer, nameOf(peer.socketId), call.detailsOf(peer)));
on(call, "peer-gone", (peer) => removePeer(peer.socketId));
on(call, "change", render);
on(call, "note", (text) => notify(text, { kind: "warn", seconds: 15 }));
on(call, "data", ({ peer, message }) => {
  if (message.type !== "chat" || typeof message.text !== "string") return;
  addMessage({ name: nameOf(peer.socketId), text: message.text, own: false, direct: true });
});

byId("call").addEventListener("click", () => {
  const addCamera = call.active && !call.stream;
  call.start({ media: addCamera || !byId("no-camera", HTMLInputElement).checked });
});
byId("hangup").addEventListener("click", () => call.hangUp());
byId("microphone").addEventListener("click", () => call.toggle("audio"));
byId("camera").addEventListener("click", () => call.toggle("video"));

// ---- The chat

startChat({
  async send(text, direct) {
    if (direct) {
      call.broadcast({ type: "chat", text });
      return addMessage({ name: "You", text, own: true, direct: true });
    }
    await socket.emitWithAck("send-message", { message: text });
  },
  typing(typing) {
    if (room) socket.emit(typing ? "typing-start" : "typing-stop");
  },
});

socket.on("new-message", ({ socketId, userId, message, timestamp }) => {
  setTyping(socketId, userId, false);
  addMessage({ name: userId, text: message, own: socketId === socket.id, time: new Date(timestamp) });
});
socket.on("user-typing", ({ socketId, userId, isTyping }) => {
  if (socketId !== socket.id) setTyping(socketId, userId, isTyping);
});

// ---- Joining and leaving

byId("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const userId = byId("name", HTMLInputElement).value.trim();
  const roomId = byId("room", HTMLInputElement).value.trim();
  const missing = {};
  if (!userId) missing.name = "Enter a name that the others will see.";
  if (!roomId) missing.room = "Enter the name of a room, or press Suggest one.";
  showJoinProblem("", missing);
  if (missing.name || missing.room) return;

  wish = { userId, roomId };
  showJoining(true);
  dismissNotice();
  socket.connect();
  join(wish);
});

byId("leave").addEventListener("click", () => {
  leaveView("");
  byId("room").focus();
});

byId("suggest").addEventListener("click", () => {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const picks = crypto.getRandomValues(new Uint8Array(9));
  const word = Array.from(picks, (pick) => letters[pick % letters.length]).join("");
  byId("room", HTMLInputElement).value = `${word.slice(0, 3)}-${word.slice(3, 6)}-${word.slice(6)}`;
});

for (const id of ["share", "copy-link"]) {
  byId(id).addEventListener("click", () => copyText(shareLink(), byId(id)));
}

function render() {
  if (!room) return;
  const callers = [...call.peers.keys()].map(nameOf);
  showMembers(room.members, socket.id);
  showSelf(call, room.userId);
  const situation = { others: others().length, withCamera: !byId("no-camera", HTMLInputElement).checked, callers };
  showEmpty(call, situation);
  showControls(call, situation);
}

const query = new URLSearchParams(location.search);
byId("name", HTMLInputElement).value = query.get("name") ?? "";
byId("room", HTMLInputElement).value = query.get("room") ?? "";
byId(query.get("name") ? "room" : "name").focus();
