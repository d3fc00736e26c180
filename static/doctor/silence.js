// Measures how long a stream may be silent before something on the way cuts it. Several streams of
// different lengths run at once. A stream that is closed shows the limit itself. A stream that goes
// dead, and is not closed, shows only that the limit is below its length. A stream that comes to its
// end shows that the limit is above its length.

import { server } from "../assets/page.js";
import { hasStream, isEventStream, readEvents } from "./event-stream.js";

const FIRST_EVENT_WITHIN = 5000; // ms
const END_WITHIN = 5000; // ms after it is due

// Three at most: over HTTP/1.1 a browser has six connections to a host.
export function lengthsUpTo(limit) {
  return [...new Set([limit / 4, limit / 2, limit].map(Math.ceil))];
}

// Resolves when all streams are over, or the signal aborts.
export async function measureSilence({ limit, signal, onChange }) {
  const lengths = lengthsUpTo(limit).map((seconds) => ({ seconds, state: "waiting", after: null }));
  const silence = { state: "testing", limit, began: performance.now(), lengths };
  onChange(silence);
  await Promise.all(lengths.map(async (length) => {
    await listen(length, signal);
    onChange(silence);
  }));
  Object.assign(silence, conclude(lengths));
  onChange(silence);
  return silence;
}

const secondsSince = (time) => (performance.now() - time) / 1000;

async function listen(length, signal) {
  const reading = new AbortController();
  const given = new Promise((resolve) => reading.signal.addEventListener("abort", resolve));
  const give = (state) => () => {
    length.state = state;
    reading.abort();
  };
  const stop = give("stopped");
  signal.addEventListener("abort", stop);
  let timer = setTimeout(give("held"), FIRST_EVENT_WITHIN);
  /** @type {number | null} */
  let began = null;
  const read = async () => {
    const response = await fetch(`${server}/silence?seconds=${length.seconds}`, { cache: "no-store", signal: reading.signal });
    if (!isEventStream(response)) {
      length.state = "refused";
      length.status = response.status;
      return;
    }
    if (!hasStream(response)) {
      length.state = "unsupported";
      return;
    }
    for await (const { data: event } of readEvents(response)) {
      if (event.type === "silence-began") {
        began = performance.now();
        clearTimeout(timer);
        timer = setTimeout(give("mute"), length.seconds * 1000 + END_WITHIN);
      }
      if (event.type === "silence-ended") length.state = endOf(event, secondsSince(began), length.seconds);
    }
    if (length.state === "waiting") length.state = "cut";
  };
  try {
    await Promise.race([read(), given]); // a fetch that is aborted does not end in every browser
  } catch {
    if (length.state === "waiting") length.state = "cut"; // otherwise this page gave it up
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    reading.abort();
    if (began !== null) length.after = secondsSince(began);
  }
}

// If both events come at once, a proxy has held back the first one. The silence was between the
// server and that proxy, so nothing is known of the rest of the way.
function endOf({ reason }, lasted, seconds) {
  if (reason !== "complete") return "server-stopped";
  return lasted < seconds / 2 ? "held" : "lasted";
}

// Draws a conclusion from the streams of all lengths. Pure.
export function conclude(lengths) {
  const of = (...states) => lengths.filter(({ state }) => states.includes(state));
  const lasted = Math.max(0, ...of("lasted").map(({ seconds }) => seconds), ...of("stopped").map(({ after }) => after ?? 0));
  const cuts = of("cut").map(({ after }) => after).filter((after) => after !== null);
  const cutAfter = cuts.length ? Math.min(...cuts) : null;
  const muteBy = of("mute").length ? Math.min(...of("mute").map(({ seconds }) => seconds)) : null;
  return { state: stateOf(lengths, of), lasted, cutAfter, muteBy };
}

function stateOf(lengths, of) {
  if (of("unsupported").length) return "unsupported";
  if (of("cut").length) return of("cut").some(({ after }) => after !== null) ? "cut" : "blocked";
  if (of("mute").length) return "mute";
  if (of("held").length) return "held";
  if (of("refused").length) return "refused";
  if (of("stopped", "server-stopped").length) return "stopped";
  return "lasted";
}
