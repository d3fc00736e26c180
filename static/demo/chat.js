// The chat: through the server to all members, or directly to the peers by data channel.

import { byId, part, stamp } from "../assets/page.js";
import { list } from "./names.js";

const TYPING_ENDS_AFTER = 2500;
// A member that vanishes while typing never sends typing-stop.
const TYPING_SHOWN_FOR = 6000;

const typists = new Map();

// send(text, direct) rejects if the message was not sent. typing(on) tells the other members.
export function startChat({ send, typing }) {
  const form = byId("chat-form");
  const input = byId("chat-input", HTMLInputElement);
  let timer = 0;

  const stopTyping = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = 0;
    typing(false);
  };

  input.addEventListener("input", () => {
    if (!input.value.trim()) return stopTyping();
    if (!timer) typing(true);
    clearTimeout(timer);
    timer = setTimeout(stopTyping, TYPING_ENDS_AFTER);
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    input.value = "";
    stopTyping();
    try {
      await send(text, byId("chat-direct", HTMLInputElement).checked && !byId("direct-choice").hidden);
    } catch {
      // The text comes back, so that it is not lost.
      if (!input.value) input.value = text;
    }
  });
}

export function addMessage({ name, text, own, time = new Date(), direct = false }) {
  const log = byId("chat-log");
  const item = stamp("message-template");
  item.toggleAttribute("data-own", own);
  part(item, ".message-name").textContent = own ? "You" : name;
  part(item, ".message-way").textContent = direct ? "direct" : "";
  part(item, ".message-text").textContent = text;
  const sent = part(item, "time", HTMLTimeElement);
  sent.textContent = clock(time);
  sent.dateTime = time.toISOString();
  append(log, item);
}

// Adds what happened between the messages: members that joined or left.
export function addRemark(text) {
  const item = document.createElement("li");
  item.className = "remark";
  item.textContent = text;
  append(byId("chat-log"), item);
}

export function clearChat() {
  byId("chat-log").replaceChildren();
  byId("chat-empty").hidden = false;
  byId("chat-input", HTMLInputElement).value = "";
  for (const socketId of [...typists.keys()]) setTyping(socketId, "", false);
}

export function setTyping(socketId, name, on) {
  clearTimeout(typists.get(socketId)?.timer);
  typists.delete(socketId);
  if (on) {
    const timer = setTimeout(() => setTyping(socketId, name, false), TYPING_SHOWN_FOR);
    typists.set(socketId, { name, timer });
  }
  const names = [...typists.values()].map((typist) => typist.name);
  byId("typing").textContent = names.length === 0
    ? ""
    : `${list(names)} ${names.length === 1 ? "is" : "are"} typing…`;
}

function append(log, item) {
  log.append(item);
  log.scrollTop = log.scrollHeight;
  byId("chat-empty").hidden = true;
}

function clock(time) {
  return time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}
