// What the page shows beside tiles, chat and events: the two views, the connection,
// the members, and what there is to say to the person.

export const byId = (id) => document.getElementById(id);

export const stamp = (id) => byId(id).content.firstElementChild.cloneNode(true);

const STATUS_TEXT = {
  connecting: "Connecting",
  open: "Connected",
  reconnecting: "Reconnecting",
  closed: "Disconnected",
};

const TRANSPORT_TEXT = {
  eventsource: "by EventSource",
  stream: "by a stream that a POST opened",
  polling: "by long polling",
};

// Fills the one place for a name's short form; hues only tell people apart.
export function paintAvatar(element, name) {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  element.textContent = letters.map((word) => [...word][0] ?? "").join("").toUpperCase();
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  element.dataset.hue = String(sum % 6);
}

export function showStatus(state, transport) {
  byId("status").dataset.state = state;
  byId("status").title = state === "open" ? TRANSPORT_TEXT[transport] : "";
  byId("status-text").textContent = STATUS_TEXT[state];
}

export function showJoin() {
  byId("room-view").hidden = true;
  byId("room-title").hidden = true;
  byId("join-view").hidden = false;
  for (const element of document.querySelectorAll(".in-room")) element.hidden = true;
  document.title = "Demo · signaling-server";
}

export function showRoom(roomId, link) {
  byId("join-view").hidden = true;
  byId("room-view").hidden = false;
  byId("room-title").hidden = false;
  for (const element of document.querySelectorAll(".in-room")) element.hidden = false;
  byId("room-name").textContent = roomId;
  byId("room-view").querySelector("h1").textContent = `Room ${roomId}`;
  byId("share-link").value = link;
  document.title = `${roomId} · signaling-server`;
}

// The button of the join form says what it waits for.
export function showJoining(joining) {
  byId("join").disabled = joining;
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
let noticeAction = null;

// One thing at a time: what is newest is what the person needs.
export function notify(text, { kind = "info", action = null, seconds = 8 } = {}) {
  clearTimeout(noticeTimer);
  noticeAction = action?.run ?? null;
  byId("notice").hidden = false;
  byId("notice").dataset.kind = kind;
  byId("notice-text").textContent = text;
  byId("notice-action").hidden = !action;
  byId("notice-action").textContent = action?.label ?? "";
  if (seconds && !action) noticeTimer = setTimeout(dismissNotice, seconds * 1000);
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

export function showMembers(members, ownId) {
  byId("member-count").textContent = String(members.size);
  byId("members").replaceChildren(...[...members.values()].map((member) => {
    const item = stamp("member-template");
    item.dataset.socketId = member.socketId;
    item.toggleAttribute("data-away", Boolean(member.away));
    paintAvatar(item.querySelector(".avatar"), member.userId);
    item.querySelector(".member-name").textContent = member.userId;
    item.querySelector(".member-id").textContent = member.socketId.slice(0, 6);
    item.querySelector(".member-id").title = `Socket ID ${member.socketId}`;
    const own = member.socketId === ownId;
    item.querySelector(".member-note").textContent = own ? "you" : member.away ? "connection lost, may return" : "";
    return item;
  }));
}
