// The demo: connects the events of the server, the actions of the person, and the page.

import { copyText } from "../assets/copy.js";
import { byId, server } from "../assets/page.js";
import { io } from "../client.js";
import { joinRoom } from "../peers.js";
import { Call } from "./call.js";
import { addMessage, addRemark, clearChat, setTyping, startChat } from "./chat.js";
import { showControls, showEmpty } from "./controls.js";
import { logEvent } from "./event-log.js";
import { leaveFullView, startFullView } from "./full-view.js";
import { watchSpeakers } from "./levels.js";
import { isolate } from "./names.js";
import { watchConnection } from "./outage.js";
import { explain, isNews } from "./problems.js";
import { startSettings } from "./settings.js";
import { removePeer, setSpeaker, showPeer, showSelf, showSpeaking } from "./tiles.js";
import {
  cannotCall, dismissNotice, notify, showJoin, showJoining, showJoinProblem,
  showMembers, showRoom,
} from "./view.js";

const socket = io(server);
const call = new Call();

// wish is the room that the person wants to join. room is the room that we are in.
/** @type {{ roomId: string, userId: string } | null} */
let wish = null;
/** @type {import("../peers.js").Room | null} */
let room = null;

const on = (target, type, listener) => target.addEventListener(type, (event) => listener(event.detail, event));
const nameOf = (socketId) => room?.members.get(socketId)?.userId ?? "Somebody";
// The members whose browsers have refused a call. The page of a member says so before.
const refusers = new Set();
const isLeftOut = (socketId) => refusers.has(socketId) || cannotCall(room?.members.get(socketId));
const others = () => [...room?.members.keys() ?? []].filter((socketId) => socketId !== socket.id);
const shareLink = () => `${server}/demo/?room=${encodeURIComponent(room?.roomId ?? "")}`;

// ---- The connection

socket.onAny(logEvent);
watchConnection(socket);
socket.on("error", (problem) => {
  if (room && isNews(problem)) notify(explain(problem), { kind: "warn" });
});

socket.on("disconnected", ({ reason, detail, retryAfter }) => {
  const soon = retryAfter ? `in ${Math.ceil(retryAfter / 1000)} s` : "shortly";
  if (reason === "kicked") return leaveView(`An operator disconnected you${detail ? `: “${isolate(detail)}”` : ""}. You may join again.`);
  if (reason === "replaced") {
    const action = { label: "Connect again", run: reconnect };
    notify("Another window took over from this page.", { kind: "warn", action });
    return;
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

// ---- The room

async function join(wished) {
  const { roomId, userId } = wished;
  try {
    // The others learn if they would call this browser in vain.
    const metadata = call.able ? undefined : { calls: false };
    const entered = await joinRoom(socket, roomId, { userId, connect: false, metadata });
    if (wish === wished) enter(entered);
    else entered.leave();
  } catch (problem) {
    if (wish !== wished) return; // the person knows already why it ended
    const fields = {};
    for (const { field, message } of problem.errors ?? []) {
      if (field === "userId") fields.name = message;
      if (field === "roomId") fields.room = message;
    }
    leaveView("");
    showJoinProblem(Object.keys(fields).length ? "" : explain(problem), fields);
  }
}

/** @param {import("../peers.js").Room} entered */
function enter(entered) {
  room = entered;
  call.enter(room);
  room.on("members", render);
  showJoining(false);
  showRoom(room.roomId, shareLink());
  // People send the address to each other as a link to the room. So the own name is not in it.
  keepInAddress({ room: room.roomId }, { name: room.userId });
  clearChat();
  render();
  byId("room-view").focus(); // the element that had the focus is hidden now
}

// A browser may refuse it, as Safari does after a hundred changes in half a minute. Then the room
// works, but is not in the address.
function keepInAddress(query, state) {
  try {
    history.replaceState(state, "", `?${new URLSearchParams(query)}`);
  } catch {}
}

// Another window took over the socket of this page. The page gets a new one.
function reconnect() {
  socket.connect();
  if (wish) join(wish);
}

function leaveView(text) {
  wish = null;
  room?.leave();
  room = null;
  call.enter(null);
  leaveFullView();
  takeNoteBack();
  showJoining(false);
  showJoin();
  if (text) notify(text, { kind: "warn", seconds: 0 });
}

// If its socket could not be resumed, the client joins again by itself.
socket.on("room-joined", ({ roomId }) => {
  if (room?.roomId === roomId) addRemark("You were away for a moment, and are back now.");
});

// A leave by the person was shown at once, and the next join may be under way. So only the
// operators' reasons are shown here.
socket.on("room-left", ({ reason }) => {
  if (reason === "kicked") leaveView("An operator removed you from the room.");
  if (reason === "room closed") leaveView("An operator closed the room.");
});

socket.on("user-connected", ({ userId }) => addRemark(`${isolate(userId)} joined`));
socket.on("user-disconnected", ({ socketId, userId, reason }) => {
  setTyping(socketId, userId, false);
  const departures = {
    "kicked": "was removed by an operator",
    "transport close": "lost the connection and did not come back",
    "slow consumer": "has a connection that was too slow",
  };
  addRemark(`${isolate(userId)} ${departures[reason] ?? "left"}`);
});

socket.on("announcement", ({ data }) => {
  notify(`From the operator: ${isolate(typeof data === "string" ? data : JSON.stringify(data))}`, { seconds: 0 });
});

// ---- The call

on(call, "peer", show);
on(call, "peer-gone", ({ peer, reason }) => {
  removePeer(peer.socketId);
  if (reason === "unsupported") refusers.add(peer.socketId);
});
on(call, "trouble", ({ socketId }) => {
  notify(`Something went wrong in the call with ${isolate(nameOf(socketId))}. The call goes on.`, { kind: "warn" });
});
on(call, "change", render);
let takeNoteBack = () => {};
on(call, "note", (text) => { takeNoteBack = notify(text, { kind: "warn", seconds: 30 }); });

// The browser cannot be asked whether its question is still open.
let takeBack = () => {};
on(call, "question", (kinds) => {
  const devices = kinds.length > 1 ? "camera and microphone" : `the ${kinds[0]}`;
  const it = kinds.length > 1 ? "them" : "it";
  takeBack = notify(`Your browser asks whether this page may use ${devices}. Answer it, or go on without ${it}.`, {
    action: { label: `Go on without ${it}`, run: () => call.startWithout() },
  });
});
on(call, "answered", () => takeBack());

// The tile of a connection that does not come about says so after a while.
setInterval(() => call.peers.forEach((peer) => peer.state === "connected" || show(peer)), 2000);

watchSpeakers(call, showSpeaking);
startSettings(call, setSpeaker);
startFullView();

on(call, "data", ({ peer, message }) => {
  if (message.type !== "chat" || typeof message.text !== "string") return;
  addMessage({ name: nameOf(peer.socketId), text: message.text, own: false, direct: true });
});

byId("call").addEventListener("click", () => {
  call.start({ media: !byId("no-camera", HTMLInputElement).checked });
});
byId("hangup").addEventListener("click", () => {
  call.hangUp();
  takeNoteBack(); // it was about the call
});
byId("microphone").addEventListener("click", () => call.toggle("microphone"));
byId("camera").addEventListener("click", () => call.toggle("camera"));
byId("screen").addEventListener("click", () => call.toggleScreen());

function show(peer) {
  if (!isLeftOut(peer.socketId)) showPeer(peer, nameOf(peer.socketId), call.detailsOf(peer));
}

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
  byId(id).addEventListener("click", async () => {
    if (await copyText(shareLink(), byId(id))) return;
    notify(`This browser does not let the page copy. Here is the link: ${shareLink()}`, { seconds: 0 });
  });
}

function render() {
  if (!room) return;
  const situation = {
    canCall: call.able,
    others: others().length,
    leftOut: others().filter(isLeftOut).map(nameOf),
    withCamera: !byId("no-camera", HTMLInputElement).checked,
    callers: [...call.peers.keys()].filter((socketId) => !isLeftOut(socketId)).map(nameOf),
  };
  showMembers(room.members, socket.id);
  showSelf(call, room.userId);
  showEmpty(call, situation);
  showControls(call, situation);
}

const query = new URLSearchParams(location.search);
const name = history.state?.name ?? query.get("name") ?? "";
// On a slow network, the person may have begun to type before this script runs.
byId("name", HTMLInputElement).value ||= name;
byId("room", HTMLInputElement).value ||= query.get("room") ?? "";
if (document.activeElement === document.body) byId(name ? "room" : "name").focus();
