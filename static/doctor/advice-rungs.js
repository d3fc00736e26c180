// Findings about the ways down and the way up. Pure; see advice.js.

import { duration, plural } from "./words.js";

export const RUNG_NAMES = {
  eventSource: "EventSource",
  fetchStream: "Stream opened by POST",
  poll: "Long polling",
};

const REQUESTS = {
  eventSource: "GET /events",
  fetchStream: "POST /events/stream",
  poll: "GET /events/poll",
};

export function adviseOnRungs(rungs, address) {
  return Object.keys(RUNG_NAMES).map((name) => adviseOnRung(name, rungs, address));
}

function adviseOnRung(name, rungs, address) {
  const rung = rungs[name];
  const finding = (level, title, text, advice) => ({ id: name, level, title: `${RUNG_NAMES[name]} ${title}`, text, advice });
  const meanwhile = otherWay(name, rungs);
  switch (rung.state) {
    case "works":
      return finding("good", "works", `The first event came after ${duration(rung.firstEvent)}, and the ${rung.sent.length} others came one by one.`, WORKS[name]);
    case "lumps":
      return finding("warn", "brings events in lumps",
        `Up to ${rung.lump} events came at once, held back for up to ${duration(rung.heldFor)}.`,
        `${unbuffer(name, "A proxy collects events", address)}.`);
    case "held":
      return finding("bad", "is held back", heldText(rung), `${unbuffer(name, HELD[name], address)}${meanwhile}.`);
    case "broken":
      return finding("bad", "breaks off",
        `Only ${rung.arrivals.length} of ${plural(rung.sent.length, "event")} came through.`,
        `Ask your administrator not to cut answers of ${address}${REQUESTS[name].split(" ")[1]} that take long${meanwhile}.`);
    case "unanswered":
      return finding("warn", "opens, but nothing can be sent",
        `The first event came after ${duration(rung.firstEvent)}, but the server accepted none of the requests that followed.`,
        "Fix sending by POST first, then measure again.");
    default:
      return finding("bad", "is refused", refusedText(name, rung),
        `Ask your administrator to let ${REQUESTS[name]} at ${address} through${meanwhile}.`);
  }
}

const WORKS = {
  eventSource: "Nothing to change: this is the simplest way, and it resumes by itself.",
  fetchStream: "Nothing to change: pages can use it if EventSource is held back.",
  poll: "Nothing to change: pages can use it if streams are held back.",
};

const HELD = {
  eventSource: "A proxy holds back streams opened by GET",
  fetchStream: "A proxy holds back streams opened by POST",
  poll: "A proxy holds back even short answers",
};

function unbuffer(name, what, address) {
  if (name === "poll") return `${what}: ask your administrator to let ${address} pass without inspection`;
  return `${what}: ask your administrator to turn off response buffering for ${address} (nginx: proxy_buffering off; virus scanners: exempt text/event-stream)`;
}

function heldText(rung) {
  if (rung.firstEvent === null) return "The request was accepted, but no event came within 5 s.";
  return `The first event came after ${duration(rung.firstEvent)}, but none of the ${rung.sent.length} others.`;
}

function refusedText(name, { failure }) {
  if (failure?.status) return `The answer to ${REQUESTS[name]} had status ${failure.status}.`;
  if (failure?.reason === "at capacity") return "The server is at capacity.";
  if (failure?.reason === "draining") return "The server is restarting.";
  return `The answer to ${REQUESTS[name]} was not what the server sends.`;
}

// The way that pages can use until the network is changed.
function otherWay(name, rungs) {
  const ways = { eventSource: "EventSource", fetchStream: "streams opened by POST (/events/stream)", poll: "long polling (/events/poll)" };
  const other = Object.keys(ways).find((each) => each !== name && rungs[each].state === "works");
  return other ? `; meanwhile ${ways[other]} can be used` : "";
}

export function adviseOnPosts(posts, exchange, address) {
  const finding = (level, title, text, advice) => ({ id: "post", level, title, text, advice });
  const count = plural(posts.sent, "request");
  if (posts.state === "works") {
    const time = posts.roundTrip === null ? "" : `, typically in ${duration(posts.roundTrip)}`;
    return finding("good", "Sending by POST works", `${posts.accepted || posts.sent} of ${count} got through${time}.`,
      posts.roundTrip > 500
        ? "Send events that wait as one batch (/events/batch), because each request takes long."
        : "Nothing to change.");
  }
  const text = `${posts.accepted} of ${count} got through${posts.status ? `; the answers to others had status ${posts.status}` : ""}.`;
  if (posts.status === 401 && exchange?.request?.removed.some((field) => field.name === "authorization")) {
    return finding("bad", "Sending is refused", text, `Ask your administrator to leave the header Authorization in requests to ${address}, because it says which client sends them.`);
  }
  return posts.state === "blocked"
    ? finding("bad", "Sending by POST is refused", text, `Ask your administrator to let POST ${address}/events with application/json through.`)
    : finding("warn", "Sending by POST sometimes fails", text, "Repeat a request that got no answer with the same Idempotency-Key, so that the server accepts it only once.");
}
