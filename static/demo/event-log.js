// The log of server events: a line for each, and the whole event when it is opened.

import { byId, part, stamp } from "../assets/page.js";
import { gist } from "./gist.js";

// A page that stays open for days must not grow for ever.
const MAX_EVENTS = 500;

// With one of these, somebody could act as this page, or use the operator's TURN server.
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
  // Session descriptions are long, so an event is written out only when it is opened.
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
