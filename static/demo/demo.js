// The demo: connects what the server says, what the person does, and what is shown.

import { copyText } from "/assets/copy.js";
import { Call } from "./call.js";
import { addMessage, addRemark, clearChat, setTyping, startChat } from "./chat.js";
import { logEvent } from "./event-log.js";
import { explain } from "./problems.js";
import { Signaling } from "./signaling.js";
import { removePeer, showControls, showEmpty, showPeer, showSelf } from "./tiles.js";
import {
  byId, dismissNotice, notify, showJoin, showJoining, showJoinProblem,
  showMembers, showRoom, showStatus,
} from "./view.js";

const signaling = new Signaling();
const call = new Call(signaling);

// wish is the room that the person wants to be in; joined, that the server has let us in.
let wish = null;
let joined = false;
let callAgain = false;
const members = new Map();

const on = (target, type, listener) => target.addEventListener(type, (event) => listener(event.detail, event));
const nameOf = (socketId) => members.get(socketId)?.userId ?? "Somebody";
const others = () => [...members.keys()].filter((socketId) => socketId !== signaling.socketId);
const shareLink = () => `${location.origin}/demo/?room=${encodeURIComponent(wish.roomId)}`;

// ---- The connection

on(signaling, "received", ({ type, data }) => logEvent(type, data));
on(signaling, "state", ({ state }) => showStatus(state));

// A new socket is in no room, and what pointed at the old one is void.
on(signaling, "session", ({ again }) => {
  if (!wish) return;
  if (again && joined) callAgain = call.active && { media: call.stream !== null };
  call.reset();
  join();
});

on(signaling, "disconnected", ({ reason, retryAfter }) => {
  const soon = retryAfter ? `in ${Math.ceil(retryAfter / 1000)} s` : "shortly";
  if (reason === "kicked") return leaveView("An operator has disconnected you. You may join again.");
  if (reason === "replaced") {
    const action = { label: "Connect again", run: () => signaling.open() };
    return notify("This session went on in another window.", { kind: "warn", action });
  }
  const words = {
    "at capacity": `The server is full at the moment. Trying again ${soon}.`,
    "rate limited": `Too many connections from here in a short time. Trying again ${soon}.`,
    "draining": `The server is restarting. Trying again ${soon}.`,
    "slow consumer": "This page could not keep up and was disconnected. It is joining again.",
  };
  notify(words[reason] ?? `The server ended the connection (${reason}). Trying again ${soon}.`, { kind: "warn" });
});

on(signaling, "server-shutdown", () => {
  notify("The server is restarting. The page comes back by itself; calls go on meanwhile.", { kind: "warn" });
});

window.addEventListener("offline", () => {
  notify("You are offline. The page comes back by itself when the network does.", { kind: "warn", seconds: 0 });
});
window.addEventListener("online", () => {
  dismissNotice();
  if (signaling.state !== "closed") signaling.open();
});

// Closing the page removes this member from the others at once, not after the resume window.
// That goes first: closing connections takes longer than a browser may wait.
window.addEventListener("pagehide", () => {
  signaling.disconnect();
  call.reset();
});
window.addEventListener("pageshow", ({ persisted }) => {
  if (persisted) signaling.open();
});

// ---- The room

async function join() {
  joined = false;
  try {
    await signaling.send({ type: "join-room", roomId: wish.roomId, userId: wish.userId });
  } catch (problem) {
    // These cure themselves: the page connects anew, and joins then.
    if (["session-ended", "unknown-session"].includes(problem.kind)) return;
    const fields = {};
    for (const { field, message } of problem.errors ?? []) {
      if (field === "userId") fields.name = message;
      if (field === "roomId") fields.room = message;
    }
    leaveView("");
    showJoinProblem(Object.keys(fields).length ? "" : explain(problem), fields);
  }
}

function leaveView(text) {
  wish = null;
  joined = false;
  callAgain = false;
  members.clear();
  call.setMembers([]);
  call.reset();
  showJoining(false);
  showJoin();
  if (text) notify(text, { kind: "warn", seconds: 0 });
}

on(signaling, "room-joined", ({ roomId, users }) => {
  if (wish?.roomId !== roomId) return;
  const returning = !byId("room-view").hidden;
  joined = true;
  members.clear();
  for (const user of users) members.set(user.socketId, user);
  call.setMembers(others());
  showJoining(false);
  showRoom(roomId, shareLink());
  const query = new URLSearchParams({ room: roomId, name: wish.userId });
  history.replaceState(null, "", `?${query}`);
  if (returning) addRemark("You were away for a moment, and are back.");
  else clearChat();
  render();
  if (callAgain) call.start(callAgain);
  callAgain = false;
});

// Leaving of one's own accord was shown at once, and the next room may be under way.
on(signaling, "room-left", ({ reason }) => {
  if (reason === "kicked") leaveView("An operator has taken you out of the room.");
  if (reason === "room closed") leaveView("An operator has closed the room.");
});

on(signaling, "user-connected", (user) => {
  members.set(user.socketId, user);
  addRemark(`${user.userId} joined`);
  call.memberJoined(user.socketId);
  render();
});

on(signaling, "user-disconnected", ({ socketId, userId, reason }) => {
  members.delete(socketId);
  setTyping(socketId, userId, false);
  addRemark(["left", "client disconnect"].includes(reason) ? `${userId} left` : `${userId} is gone (${reason})`);
  call.memberLeft(socketId);
  render();
});

for (const [type, away] of [["user-away", true], ["user-back", false]]) {
  on(signaling, type, ({ socketId }) => {
    const member = members.get(socketId);
    if (member) member.away = away;
    render();
  });
}

on(signaling, "announcement", ({ data }) => {
  notify(`From the operator: ${typeof data === "string" ? data : JSON.stringify(data)}`, { seconds: 0 });
});

// ---- The call

for (const type of ["offer", "answer", "ice-candidate", "signal"]) {
  on(signaling, type, (signal) => call.receive(signal));
}
on(call, "peer", (peer) => showPeer(peer, nameOf(peer.socketId)));
on(call, "peer-gone", (peer) => removePeer(peer.socketId));
on(call, "change", render);
on(call, "note", (text) => notify(text, { kind: "warn", seconds: 15 }));
on(call, "problem", (problem) => notify(explain(problem), { kind: "warn" }));
on(call, "data", ({ peer, message }) => {
  if (message.type !== "chat" || typeof message.text !== "string") return;
  addMessage({ name: nameOf(peer.socketId), text: message.text, own: false, direct: true });
});

byId("call").addEventListener("click", () => {
  const addCamera = call.active && !call.stream;
  call.start({ media: addCamera || !byId("no-camera").checked });
});
byId("hangup").addEventListener("click", () => call.hangUp());
byId("microphone").addEventListener("click", () => call.toggle("audio"));
byId("camera").addEventListener("click", () => call.toggle("video"));

// ---- The chat

startChat({
  async send(text, direct) {
    if (direct) {
      call.broadcast({ type: "chat", text });
      return addMessage({ name: wish.userId, text, own: true, direct: true });
    }
    try {
      await signaling.send({ type: "send-message", message: text });
    } catch (problem) {
      notify(explain(problem), { kind: "warn" });
      throw problem;
    }
  },
  typing(typing) {
    if (wish) signaling.send({ type: typing ? "typing-start" : "typing-stop" }).catch(() => {});
  },
});

on(signaling, "new-message", ({ socketId, userId, message, timestamp }) => {
  setTyping(socketId, userId, false);
  addMessage({ name: userId, text: message, own: socketId === signaling.socketId, time: new Date(timestamp) });
});
on(signaling, "user-typing", ({ socketId, userId, isTyping }) => {
  if (socketId !== signaling.socketId) setTyping(socketId, userId, isTyping);
});

// ---- What the person does to come and go

byId("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const userId = byId("name").value.trim();
  const roomId = byId("room").value.trim();
  const missing = {};
  if (!userId) missing.name = "Enter a name for the others to see.";
  if (!roomId) missing.room = "Enter a room, or let one be made up.";
  showJoinProblem("", missing);
  if (missing.name || missing.room) return;

  wish = { userId, roomId };
  showJoining(true);
  dismissNotice();
  if (signaling.state === "closed") signaling.open();
  else if (signaling.ready) join();
  // Otherwise the first session joins as soon as it is there.
});

byId("leave").addEventListener("click", () => {
  signaling.send({ type: "leave-room" }).catch(() => {});
  leaveView("");
  byId("room").focus();
});

byId("suggest").addEventListener("click", () => {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const picks = crypto.getRandomValues(new Uint8Array(9));
  const word = Array.from(picks, (pick) => letters[pick % letters.length]).join("");
  byId("room").value = `${word.slice(0, 3)}-${word.slice(3, 6)}-${word.slice(6)}`;
});

for (const id of ["share", "copy-link"]) {
  byId(id).addEventListener("click", () => copyText(shareLink(), byId(id)));
}

function render() {
  if (!wish) return;
  const callers = [...call.peers.keys()].map(nameOf);
  showMembers(members, signaling.socketId);
  showSelf(call, wish.userId);
  const situation = { others: others().length, withCamera: !byId("no-camera").checked, callers };
  showEmpty(call, situation);
  showControls(call, situation);
}

const query = new URLSearchParams(location.search);
byId("name").value = query.get("name") ?? "";
byId("room").value = query.get("room") ?? "";
byId(query.get("name") ? "room" : "name").focus();
signaling.open();
