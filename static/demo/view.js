// Shows everything but tiles, chat and events: the two views, the state of the connection, the
// members, and notices.

import { byId, part, stamp } from "../assets/page.js";
import { initials, isolate } from "./names.js";

const STATUS_TEXT = {
  connecting: "Connecting",
  open: "Connected",
  reconnecting: "Reconnecting",
  closed: "Disconnected",
};

// How news of the others arrives.
const TRANSPORT_TEXT = {
  eventsource: "News arrives at once, over a connection that stays open.",
  stream: "News arrives at once, over a connection that stays open. Your network holds back the usual kind.",
  polling: "Your network holds back connections that stay open, so this page asks for news again and again.",
};

// Shows the initials of a name. The hue only helps to tell people apart.
export function paintAvatar(element, name) {
  element.textContent = initials(name);
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 997;
  element.dataset.hue = String(sum % 6);
}

export function showStatus(state, transport) {
  byId("status").dataset.state = state;
  byId("status").title = state === "open" ? TRANSPORT_TEXT[transport] : "";
  byId("status-text").textContent = STATUS_TEXT[state];
}

// Says what is the matter with the connection. An empty text says that nothing is.
export function showOutage(text) {
  byId("outage").hidden = !text;
  if (byId("outage").textContent !== text) byId("outage").textContent = text;
}

export function showJoin() {
  byId("room-view").hidden = true;
  byId("room-title").hidden = true;
  byId("join-view").hidden = false;
  showActions(false);
  document.title = "Demo · signaling-server";
}

export function showRoom(roomId, link) {
  byId("join-view").hidden = true;
  byId("room-view").hidden = false;
  byId("room-title").hidden = false;
  showActions(true);
  byId("room-name").textContent = roomId;
  part(byId("room-view"), "h1").textContent = `Room ${isolate(roomId)}`;
  byId("share-link", HTMLInputElement).value = link;
  document.title = `${roomId} · signaling-server`;
}

// Shows or hides the header's buttons for a room.
function showActions(shown) {
  for (const id of ["share", "leave"]) byId(id).hidden = !shown;
}

// While the page joins, the button says so.
export function showJoining(joining) {
  byId("join", HTMLButtonElement).disabled = joining;
  byId("join").textContent = joining ? "Joining…" : "Join the room";
}

export function showJoinProblem(text, fields = {}) {
  byId("join-problem").textContent = text;
  byId("join-problem").hidden = !text;
  for (const id of ["name", "room"]) {
    const problem = byId(`${id}-problem`);
    problem.textContent = fields[id] ?? "";
    problem.hidden = !fields[id];
    byId(id).toggleAttribute("aria-invalid", Boolean(fields[id]));
  }
  const first = ["name", "room"].find((id) => fields[id]);
  if (first) byId(first).focus();
}

let noticeTimer = 0;
let notices = 0;
/** @type {(() => void) | null} */
let noticeAction = null;

/**
 * Shows a notice instead of the previous one: the newest is what the person needs. Returns a
 * function that takes the notice away, unless a newer one is shown.
 * @param {string} text
 * @param {{ kind?: "info" | "warn", action?: { label: string, run: () => void } | null, seconds?: number }} [how]
 */
export function notify(text, { kind = "info", action = null, seconds = 8 } = {}) {
  clearTimeout(noticeTimer);
  noticeAction = action?.run ?? null;
  byId("notice").hidden = false;
  byId("notice").dataset.kind = kind;
  byId("notice-text").textContent = text;
  byId("notice-action").hidden = !action;
  byId("notice-action").textContent = action?.label ?? "";
  if (seconds && !action) noticeTimer = setTimeout(dismissNotice, seconds * 1000);
  const notice = ++notices;
  return () => {
    if (notice === notices) dismissNotice();
  };
}

export function dismissNotice() {
  clearTimeout(noticeTimer);
  byId("notice").hidden = true;
}

byId("notice-close").addEventListener("click", dismissNotice);
byId("notice-action").addEventListener("click", () => {
  dismissNotice();
  noticeAction?.();
});

// The page of each member tells the others, as metadata, if its browser cannot make calls.
export const cannotCall = (member) => member?.metadata?.calls === false;

export function showMembers(members, ownId) {
  byId("member-count").textContent = String(members.size);
  byId("members").replaceChildren(...[...members.values()].map((member) => {
    const item = stamp("member-template");
    item.dataset.socketId = member.socketId;
    item.toggleAttribute("data-away", Boolean(member.away));
    paintAvatar(part(item, ".avatar"), member.userId);
    part(item, ".member-name").textContent = member.userId;
    part(item, ".member-id").textContent = member.socketId.slice(0, 6);
    part(item, ".member-id").title = `Socket ID ${member.socketId}`;
    const own = member.socketId === ownId;
    const notes = [own && "you", member.away && "connection lost, may return", cannotCall(member) && "chat only"];
    part(item, ".member-note").textContent = notes.filter(Boolean).join(", ");
    return item;
  }));
}
