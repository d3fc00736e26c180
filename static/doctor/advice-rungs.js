// Findings about the ways down and the way up. Pure; see advice.js.

import { answered, duration, plural } from "./words.js";

export const RUNG_NAMES = {
  eventSource: "Live stream (GET)",
  fetchStream: "Live stream (POST)",
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
      return finding("warn", "brings events late",
        `Up to ${rung.lump} events came at once, held back for up to ${duration(rung.heldFor)}.`,
        unbuffer(address));
    case "held":
      return finding("bad", "is held back", heldText(rung), `${name === "poll" ? uninspect(address) : unbuffer(address)}${meanwhile}`);
    case "broken":
      return finding("bad", "breaks off",
        `Only ${rung.arrivals.length} of ${plural(rung.sent.length, "event")} came through.`,
        `Ask your administrator not to cut long answers of ${address}${REQUESTS[name].split(" ")[1]}.${meanwhile}`);
    case "stored":
      return finding("bad", "brings old events from a cache",
        "The stream that arrived was stored on the way: the server does not know it any more.",
        `Ask your administrator not to store answers of ${address}. They say Cache-Control: no-store.${meanwhile}`);
    case "unanswered":
      return finding("warn", "opens, but nothing can be sent",
        `The first event came after ${duration(rung.firstEvent)}, but the server accepted none of the requests that followed.`,
        "Mend the sending first, as the finding about it says. Then measure again.");
    case "unsupported":
      return finding("info", "is missing in this browser",
        "The browser lacks it, or a setting or an extension blocks it.",
        `Use a newer browser, or allow it.${meanwhile}`);
    default:
      return refused(name, rung, address, finding, meanwhile);
  }
}

const WORKS = {
  eventSource: "Nothing to change: this is the simplest way.",
  fetchStream: "Nothing to change: pages can use it if the stream by GET is held back.",
  poll: "Nothing to change: pages can use it if streams are held back.",
};

const unbuffer = (address) =>
  `Ask your administrator to pass on each piece of an answer of ${address} at once: no response buffering, no virus scan of text/event-stream. In nginx this is “proxy_buffering off”.`;

const uninspect = (address) => `Ask your administrator to let ${address} through without inspection: even short answers are held back.`;

function heldText(rung) {
  if (rung.firstEvent === null) return "The request was accepted, but no event came within 5 s.";
  return `The first event came after ${duration(rung.firstEvent)}, but none of the ${rung.sent.length} others.`;
}

// What the server says of itself, if it refuses a stream or a poll.
const BUSY = {
  "at capacity": "The server is full.",
  "rate limited": "The server received too many requests from your network.",
  "draining": "The server is restarting.",
  503: "The server is full or restarting.",
  429: "The server received too many requests from your network.",
};

export const isBusy = ({ failure }) => Boolean(BUSY[failure?.reason] ?? BUSY[failure?.status]);

function refused(name, rung, address, finding, meanwhile) {
  const { failure } = rung;
  if (isBusy(rung)) {
    return finding("warn", "is refused by the server", BUSY[failure.reason] ?? BUSY[failure.status], "Measure again in a minute. If the server still refuses, tell its operator.");
  }
  const request = REQUESTS[name];
  const text = failure?.status >= 400
    ? `${answered(`The request ${request}`, failure.status)}.`
    : `Something on the way cut the request ${request}, or answered in place of the server.`;
  return finding("bad", "is blocked", text, `Ask your administrator to let ${request} at ${address} through.${meanwhile}`);
}

// The way that pages can use until the network is changed.
function otherWay(name, rungs) {
  const ways = { eventSource: "the live stream by GET", fetchStream: "the live stream by POST (/events/stream)", poll: "long polling (/events/poll)" };
  const other = Object.keys(ways).find((each) => each !== name && rungs[each].state === "works");
  return other ? ` Until then, pages can use ${ways[other]}.` : "";
}

export function adviseOnPosts(posts, exchange, address) {
  const finding = (level, title, text, advice) => ({ id: "post", level, title, text, advice });
  const count = plural(posts.sent, "request");
  if (posts.state === "works") {
    const time = posts.roundTrip === null ? "" : `, typically in ${duration(posts.roundTrip)}`;
    return finding("good", "Sending works", `${posts.accepted || posts.sent} of ${count} got through${time}.`,
      posts.roundTrip > 500
        ? "Nothing to change in the network. Pages should send events that wait as one batch (/events/batch), because each request takes long."
        : "Nothing to change.");
  }
  const [others, verb] = posts.accepted ? ["Others", "were"] : posts.sent === 1 ? ["It", "was"] : ["All", "were"];
  const text = `${posts.accepted} of ${count} got through.${posts.status ? ` ${answered(others, posts.status, verb)}.` : ""}`;
  if (posts.status === 401 && exchange?.request?.removed.some((field) => field.name === "authorization")) {
    return finding("bad", "Sending is refused", text, `Ask your administrator to leave the header Authorization in requests to ${address}. It says which client sends them.`);
  }
  return posts.state === "blocked"
    ? finding("bad", "Sending is blocked", text, `Ask your administrator to let POST ${address}/events with the content type application/json through.`)
    : finding("warn", "Sending sometimes fails", text, "Nothing to change if this is rare: pages repeat a request that got no answer, with the same Idempotency-Key. Otherwise ask your administrator whether the network loses requests.");
}
