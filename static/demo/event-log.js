// Every server event, as it comes: a line each, and the whole of it on demand.

import { byId, stamp } from "./view.js";
import { gist } from "./gist.js";

// A page left open for days must not grow for ever.
const MAX_EVENTS = 500;

// Whoever has one of these can act as this page, or spend the operator's TURN server.
const SECRETS = new Set(["token", "accessToken", "credential"]);

let count = 0;

export function logEvent(type, data) {
  const log = byId("event-log");
  const following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const item = stamp("event-template");
  const time = new Date();
  item.dataset.type = type;
  item.dataset.family = family(type);
  item.querySelector("time").textContent = clock(time);
  item.querySelector("time").dateTime = time.toISOString();
  item.querySelector(".event-type").textContent = type;
  item.querySelector(".event-gist").textContent = gist(type, data);
  // Descriptions are long; they are written out for the few that are opened.
  item.querySelector("details").addEventListener("toggle", (event) => {
    const whole = event.target.querySelector("pre");
    if (!whole.textContent) whole.textContent = JSON.stringify(data, blotted, 2);
  });
  log.append(item);
  while (log.childElementCount > MAX_EVENTS) log.firstElementChild.remove();
  if (following) log.scrollTop = log.scrollHeight;
  byId("event-count").textContent = String(++count);
}

function blotted(key, value) {
  return SECRETS.has(key) ? "●●●●●● (secret)" : value;
}

function family(type) {
  if (["offer", "answer", "ice-candidate", "signal"].includes(type)) return "call";
  if (["new-message", "user-typing", "announcement"].includes(type)) return "chat";
  if (type.startsWith("user-") || type.startsWith("room-")) return "room";
  return "stream";
}

function clock(time) {
  const two = (number) => String(number).padStart(2, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}
