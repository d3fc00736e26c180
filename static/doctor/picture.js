// The picture: a lane for each way, the proxies between, and a bar for the silence.

import { byId, part } from "../assets/page.js";
import { proxiesSeen } from "./headers.js";
import { duration, plural, seconds } from "./words.js";

const WORDS = {
  waiting: "waiting",
  testing: "measuring",
  works: "works",
  lumps: "in lumps",
  held: "held back",
  broken: "breaks off",
  blocked: "refused",
  unanswered: "one way only",
  stored: "old events",
  unsupported: "not here",
};

export function showLane(name, state, figure = "") {
  const lane = byId(`lane-${name}`);
  lane.dataset.state = state;
  part(lane, ".lane-word").textContent = WORDS[state];
  part(lane, ".lane-figure").textContent = figure;
}

export function showRung(name, { state, firstEvent }) {
  showLane(name, state, firstEvent === null ? "" : duration(firstEvent));
}

export function showPosts({ state, roundTrip }) {
  showLane("post", state, roundTrip === null ? "" : duration(roundTrip));
}

// If something holds back events or cuts silent streams, it is a proxy, even without a name.
export function showProxies({ proxies, rungs, silence }) {
  const deeds = [...Object.values(rungs ?? {}), ...(silence ? [silence] : [])].map(({ state }) => state);
  const felt = deeds.some((state) => ["held", "lumps", "stored", "cut", "mute"].includes(state));
  const isUnknown = proxies.count === null; // the server did not answer, so nothing is known
  const unseen = felt ? "hidden proxy" : isUnknown ? "on the way" : "no proxy seen";
  byId("proxies").dataset.seen = proxies.count || felt ? "yes" : isUnknown ? "unknown" : "no";
  byId("proxies-text").textContent = proxies.count ? plural(proxies.count, "proxy", "proxies") : unseen;
  byId("proxies").title = proxies.names.join(", ");
}

export function proxiesOf(exchange) {
  return exchange.state === "measured" ? proxiesSeen(exchange) : { count: null, names: [] };
}

export function resetPicture() {
  for (const name of ["eventSource", "fetchStream", "poll", "post"]) showLane(name, "waiting");
  byId("proxies").dataset.seen = "unknown";
  byId("proxies-text").textContent = "on the way";
  byId("silence").dataset.state = "waiting";
  byId("silence-text").textContent = "waits for the other tests";
  byId("silence-fill").style.width = "0";
  byId("silence-beat").style.display = "none";
}

// ---- Silence

let ticking = 0;

export function showSilence(silence, level, heartbeatInterval) {
  clearInterval(ticking);
  const testing = silence.state === "testing";
  byId("stop", HTMLButtonElement).disabled = !testing;
  byId("silence").dataset.state = ["testing", "lasted"].includes(silence.state) ? silence.state : { good: "borne", warn: "warn", bad: "bad" }[level] ?? "waiting";
  const beat = heartbeatInterval / 1000 / silence.limit;
  byId("silence-beat").style.insetInlineStart = `${beat * 100}%`;
  byId("silence-beat").style.display = beat <= 1 ? "block" : "none";
  byId("silence-legend").textContent = beat <= 1
    ? `How long a live stream stays open while nothing is sent. The mark shows the server’s heartbeat, which comes every ${seconds(heartbeatInterval / 1000)}.`
    : "How long a live stream stays open while nothing is sent.";
  const show = () => drawSilence(silence);
  if (testing) ticking = setInterval(show, 250);
  show();
  // The counter changes four times a second, so only its end is read aloud.
  byId("silence-status").textContent = testing ? "" : `Idle stream: ${byId("silence-text").textContent}`;
}

function drawSilence(silence) {
  const passed = silence.state === "testing"
    ? Math.min((performance.now() - silence.began) / 1000, silence.limit)
    : silence.cutAfter ?? (silence.lasted || silence.muteBy || 0);
  byId("silence-fill").style.width = `${(100 * Math.min(passed, silence.limit)) / silence.limit}%`;
  byId("silence-text").textContent = SILENCE_WORDS[silence.state]?.(silence, passed) ?? "could not be measured";
}

const SILENCE_WORDS = {
  testing: ({ limit }, passed) => `idle for ${Math.floor(passed)} of ${limit} s`,
  lasted: ({ lasted }) => `open after ${seconds(lasted)}`,
  stopped: ({ lasted }) => `open after ${seconds(lasted)}, then stopped`,
  cut: ({ cutAfter }) => `cut after ${seconds(cutAfter)}`,
  mute: ({ lasted, muteBy }) => `dead between ${seconds(lasted)} and ${seconds(muteBy)}`,
};
