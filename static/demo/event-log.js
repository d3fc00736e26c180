// Every server event, as it comes: a line each, and the whole of it on demand.

import { byId, part, stamp } from "/assets/page.js";
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
  const heard = part(item, "time", HTMLTimeElement);
  heard.textContent = clock(time);
  heard.dateTime = time.toISOString();
  part(item, ".event-type").textContent = type;
  part(item, ".event-gist").textContent = gist(type, data);
  // Descriptions are long; they are written out for the few that are opened.
  part(item, "details").addEventListener("toggle", () => {
    const whole = part(item, "pre");
    if (!whole.textContent) whole.textContent = JSON.stringify(data, blotted, 2);
  });
  log.append(item);
  while (log.childElementCount > MAX_EVENTS) log.firstElementChild?.remove();
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
