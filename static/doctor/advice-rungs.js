// Findings on the ways down and the way up. Pure; see advice.js.

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
      return finding("good", "works", `The first event came after ${duration(rung.firstEvent)}, and all ${rung.sent.length} others one by one.`, WORKS[name]);
    case "lumps":
      return finding("warn", "brings events in lumps",
        `Up to ${rung.lump} events came at once, held back for up to ${duration(rung.heldFor)}.`,
        `${unbuffer(name, "Events are collected by a proxy", address)}.`);
    case "held":
      return finding("bad", "is held back", heldText(rung), `${unbuffer(name, HELD[name], address)}${meanwhile}.`);
    case "broken":
      return finding("bad", "breaks off",
        `Only ${rung.arrivals.length} of ${plural(rung.sent.length, "event")} came through.`,
        `Ask your administrator not to cut answers of ${address}${REQUESTS[name].split(" ")[1]} that take long${meanwhile}.`);
    case "unanswered":
      return finding("warn", "opens, but nothing can be sent",
        `The first event came after ${duration(rung.firstEvent)}; none of the requests that were to cause others was taken.`,
        "See to the way up, and measure again.");
    default:
      return finding("bad", "is refused", refusedText(name, rung),
        `Ask your administrator to let ${REQUESTS[name]} at ${address} through${meanwhile}.`);
  }
}

const WORKS = {
  eventSource: "Nothing to change: it is the simplest way, and resumes by itself.",
  fetchStream: "Nothing to change: pages may use it where EventSource is held back.",
  poll: "Nothing to change: it is there for when streams are held back.",
};

const HELD = {
  eventSource: "Streams opened by GET are held back by a proxy",
  fetchStream: "Streams opened by POST are held back by a proxy",
  poll: "Even short answers are held back by a proxy",
};

function unbuffer(name, what, address) {
  if (name === "poll") return `${what}: ask your administrator to let ${address} pass without inspection`;
  return `${what}: ask your administrator to turn off response buffering for ${address} (nginx: proxy_buffering off; virus scanners: exempt text/event-stream)`;
}

function heldText(rung) {
  if (rung.firstEvent === null) return "The request was taken, but no event came within 5 s.";
  return `The first event came after ${duration(rung.firstEvent)}, and then none of ${rung.sent.length}.`;
}

function refusedText(name, { failure }) {
  if (failure?.status) return `${REQUESTS[name]} was answered with status ${failure.status}.`;
  if (failure?.reason === "at capacity") return "The server is at capacity.";
  if (failure?.reason === "draining") return "The server is restarting.";
  return `${REQUESTS[name]} had no answer that is a stream of events.`;
}

// What a page can do until somebody has changed something.
function otherWay(name, rungs) {
  const ways = { eventSource: "EventSource", fetchStream: "streams opened by POST (/events/stream)", poll: "long polling (/events/poll)" };
  const other = Object.keys(ways).find((each) => each !== name && rungs[each].state === "works");
  return other ? `; meanwhile ${ways[other]} will do` : "";
}

export function adviseOnPosts(posts, exchange, address) {
  const finding = (level, title, text, advice) => ({ id: "post", level, title, text, advice });
  const count = plural(posts.sent, "request");
  if (posts.state === "works") {
    const time = posts.roundTrip === null ? "" : `, in ${duration(posts.roundTrip)} as a rule`;
    return finding("good", "Sending by POST works", `${posts.accepted || posts.sent} of ${count} got through${time}.`,
      posts.roundTrip > 500
        ? "Send what queues up meanwhile as one batch (/events/batch), since each request takes so long."
        : "Nothing to change.");
  }
  const text = `${posts.accepted} of ${count} got through${posts.status ? `; others were answered with status ${posts.status}` : ""}.`;
  if (posts.status === 401 && exchange?.request?.removed.some((field) => field.name === "authorization")) {
    return finding("bad", "Sending is refused", text, `Ask your administrator to leave the header Authorization in requests to ${address}, since it says whose they are.`);
  }
  return posts.state === "blocked"
    ? finding("bad", "Sending by POST is refused", text, `Ask your administrator to let POST ${address}/events with application/json through.`)
    : finding("warn", "Sending by POST fails at times", text, "Repeat what had no answer with the same Idempotency-Key, which the server takes for the same request.");
}
