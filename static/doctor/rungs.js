// Measures the rungs of the ladder: the three ways in which events come down. Each test uses the
// real protocol. It opens a socket of its own and sends pings by POST at even intervals; the
// pongs show what happens to events on the way.

import { server, within } from "../assets/page.js";
import { hasStream, isEventStream, readEvents } from "./event-stream.js";
import { isLumpy, judgeSpacing } from "./spacing.js";

const PINGS = 8;
const PING_INTERVAL = 250;
const FIRST_EVENT_WITHIN = 5000;
const POSTS_WITHIN = 20_000; // over HTTP/1.1 and a slow network they wait for a connection
const PONGS_WITHIN = 3000; // after the answer to the last POST
const POLL_WAIT = 10; // seconds

const OPENERS = { eventSource: openEventSource, fetchStream: openFetchStream, poll: openPolls };
export const RUNGS = Object.keys(OPENERS);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Resolves to the measurements by rung. onChange is called at each step, and onConnected with the
// ICE servers when a rung has brought them.
export async function measureRungs({ onChange, onConnected }) {
  const rungs = {};
  await Promise.all(RUNGS.map(async (name) => {
    const rung = { state: "testing", firstEvent: null, failure: null, sent: [], arrivals: [], posts: [] };
    rungs[name] = rung;
    onChange(name, rung);
    await measureRung(rung, OPENERS[name], onConnected);
    rung.state = judge(name, rung);
    onChange(name, rung);
  }));
  for (const [name, rung] of Object.entries(rungs)) {
    if (!isStored(rung, rungs)) continue;
    rung.state = "stored";
    onChange(name, rung);
  }
  return rungs;
}

// A store on the way replays the stream of an older socket, whose token the server does not know
// any more. The server knows the token of another rung, so the token was not lost on the way up.
function isStored({ state, posts }, rungs) {
  return state === "unanswered" && posts.every(({ status }) => status === 401)
    && Object.values(rungs).some((other) => other.posts.some(({ ok }) => ok));
}

async function measureRung(rung, open, onConnected) {
  const reading = new AbortController();
  const opened = performance.now();
  const events = inbox((box) => open({ signal: reading.signal, ...box }));
  let token = null;
  try {
    const connected = await events.next("connected", FIRST_EVENT_WITHIN);
    rung.firstEvent = connected.at - opened;
    token = connected.data.token;
    sockets.add(token);
    onConnected(connected.data.iceServers ?? []);
    await exchangePings(rung, events, token);
  } catch (failure) {
    rung.failure = { reason: failure.reason ?? "failed", status: failure.status ?? null };
  } finally {
    if (token && open === openPolls) await endPolls(events, token);
    reading.abort(); // if a proxy holds back the token, nothing else ends the socket
    if (token) leave(token);
  }
}

async function exchangePings(rung, events, token) {
  const began = performance.now();
  const posts = [];
  events.onPong = ({ at, data }) => rung.arrivals.push({ at: at - began, serverTime: data.timestamp });
  for (let n = 0; n < PINGS; n++) {
    await pause(Math.max(0, began + n * PING_INTERVAL - performance.now()));
    rung.sent.push(performance.now() - began);
    posts.push(post(token, { type: "ping" }).then((outcome) => rung.posts.push(outcome)));
  }
  let deadline = performance.now() + POSTS_WITHIN;
  Promise.all(posts).then(() => { deadline = performance.now() + PONGS_WITHIN; });
  while (rung.arrivals.length < PINGS && performance.now() < deadline && !events.failure) await pause(25);
  if (rung.arrivals.length < PINGS && events.failure) throw events.failure;
}

// A poll that arrives after the end of its socket would open a new socket. So a ping brings the
// waiting poll its answer, no other poll follows, and only then the socket ends.
async function endPolls(events, token) {
  events.onPong = null;
  events.enough = true;
  post(token, { type: "ping" });
  await Promise.race([events.over, pause(1000)]);
}

// Collects the events of a reader. next resolves to the next event of a type, or rejects after a
// time (ms) or when the reader fails.
function inbox(start) {
  /** @type {{ failure: any, onPong: ((event: any) => void) | null, enough: boolean, over: any, next: typeof next }} */
  const box = { failure: null, onPong: null, enough: false, over: null, next };
  const waiting = new Map();
  function next(type, within) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject({ reason: "silent" }), within);
      const settle = (act) => (value) => { clearTimeout(timer); act(value); };
      waiting.set(type, { resolve: settle(resolve), reject: settle(reject) });
      if (box.failure) waiting.get(type).reject(box.failure);
    });
  }
  const receive = (data) => {
    const event = { at: performance.now(), data };
    if (data.type === "pong") box.onPong?.(event);
    waiting.get(data.type)?.resolve(event);
    if (data.type === "disconnected") fail({ reason: data.reason });
  };
  const fail = (failure) => {
    box.failure ??= failure;
    for (const { reject } of waiting.values()) reject(box.failure);
  };
  box.over = start({ receive, fail, isEnough: () => box.enough });
  return box;
}

function openEventSource({ signal, receive, fail }) {
  let source;
  try {
    source = new EventSource(`${server}/events`);
  } catch {
    return fail({ reason: "unsupported" });
  }
  for (const type of ["connected", "pong", "disconnected"]) {
    source.addEventListener(type, (message) => receive(JSON.parse(message.data)));
  }
  source.addEventListener("error", () => {
    fail({ reason: source.readyState === EventSource.CLOSED ? "refused" : "cut" });
    source.close(); // otherwise it would reconnect by itself
  });
  signal.addEventListener("abort", () => source.close());
}

async function openFetchStream({ signal, receive, fail }) {
  try {
    const headers = { "Accept": "text/event-stream" };
    const response = await fetch(`${server}/events/stream`, { method: "POST", headers, cache: "no-store", signal });
    if (!isEventStream(response)) return fail({ reason: "refused", status: response.status });
    if (!hasStream(response)) return fail({ reason: "unsupported" });
    for await (const { data } of readEvents(response)) receive(data);
    fail({ reason: "cut" });
  } catch {
    fail({ reason: "cut" });
  }
}

async function openPolls({ signal, receive, fail, isEnough }) {
  let token = null;
  let after = 0;
  try {
    while (!isEnough()) {
      /** @type {Record<string, string>} */
      const headers = token ? { "Authorization": `Bearer ${token}` } : {};
      const response = await fetch(`${server}/events/poll?wait=${POLL_WAIT}&after=${after}`, { headers, cache: "no-store", signal });
      if (!response.ok) return fail({ reason: "refused", status: response.status });
      const { events, lastEventId } = await response.json();
      [token, after] = lastEventId.split(".");
      for (const data of events) receive(data);
    }
  } catch {
    fail({ reason: "cut" });
  }
}

// Names the state of a rung. A poll always collects the events that come between two answers, so
// it cannot have lumps.
function judge(name, rung) {
  const spacing = judgeSpacing(rung.arrivals);
  Object.assign(rung, spacing);
  if (rung.failure?.reason === "unsupported") return "unsupported"; // the fault is in this browser
  if (rung.firstEvent === null) return rung.failure?.reason === "silent" ? "held" : "blocked";
  const refused = rung.posts.length === PINGS && rung.posts.every(({ ok }) => !ok);
  if (refused) return "unanswered"; // the fault is on the way up
  if (rung.arrivals.length === 0) return "held";
  if (rung.arrivals.length < PINGS) return "broken";
  return name !== "poll" && isLumpy(spacing, PINGS) ? "lumps" : "works";
}

// ---- The way up

async function post(token, event, options = {}) {
  const began = performance.now();
  try {
    const response = await within(POSTS_WITHIN, (signal) => fetch(`${server}/events`, {
      method: "POST",
      headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
      body: JSON.stringify(event),
      signal,
      ...options,
    }));
    return { ok: response.status === 202, status: response.status, roundTrip: performance.now() - began };
  } catch {
    return { ok: false, status: null, roundTrip: null };
  }
}

// Sums up the POSTs of all rungs. If no rung got a token, there were no POSTs. Then a POST with a
// wrong token shows whether the server can be reached: the server refuses it with 401.
export async function judgePosts(rungs) {
  const posts = Object.values(rungs).flatMap((rung) => rung.posts);
  if (posts.length === 0) {
    const { status } = await post("none", { type: "ping" });
    return { state: status === 401 ? "works" : "blocked", sent: 1, accepted: 0, status, roundTrip: null };
  }
  const accepted = posts.filter(({ ok }) => ok);
  const state = accepted.length === posts.length ? "works" : accepted.length ? "broken" : "blocked";
  const refused = posts.find(({ ok }) => !ok);
  return {
    state, sent: posts.length, accepted: accepted.length, status: refused?.status ?? null,
    roundTrip: median(accepted.map(({ roundTrip }) => roundTrip)),
  };
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

// ---- Leaving: a socket of the doctor ends with its measurement, or with the page.

const sockets = new Set();

function leave(token) {
  sockets.delete(token);
  post(token, { type: "disconnect" }, { keepalive: true });
}

window.addEventListener("pagehide", () => {
  for (const token of sockets) {
    if (!navigator.sendBeacon?.(`${server}/events`, JSON.stringify({ type: "disconnect", token }))) leave(token);
  }
  sockets.clear();
});
