// The dashboard: asks the server at intervals, and shows the answers.

import { byId, part } from "../assets/page.js";
import { Closed, readFigures } from "./endpoints.js";
import { lists } from "./lists.js";
import { showNodes } from "./nodes.js";
import { hideGate, showGate, watchToken } from "./operator.js";
import { Plots } from "./plots.js";
import { INTERVAL, Meter, Samples } from "./samples.js";
import { endOutage, showFacts, showOutage, showState, showSummaries, showTiles } from "./view.js";
import { showWebhooks } from "./webhooks.js";

const LIST_INTERVAL = 5000;
const SUMMARY_INTERVAL = 10_000; // a screen reader reads the summaries aloud, so they must not come often
const LONGEST_WAIT = 30_000;

const samples = new Samples();
const meter = new Meter();
const plots = new Plots(samples, span());

let timer = 0;
let asking = false;
let paused = false;
let shut = false; // true from a refusal by the server until there is another token
let reopening = 0;
let failures = 0;
let outageSince = null;
let listsRead = 0;
let summarized = 0;

function span() {
  return Number(part(byId("spans"), ":checked", HTMLInputElement).value) * 60_000;
}

// A page that nobody looks at asks the server nothing.
function isWatching() {
  return !paused && !shut && !document.hidden;
}

async function tick() {
  clearTimeout(timer);
  if (asking || !isWatching()) return;
  asking = true;
  const begin = Date.now();
  const reading = await readFigures().catch((error) => error);
  asking = false;
  if (reading instanceof Closed) shutOut(reading);
  else if (reading instanceof Error) miss(begin, reading);
  else take(reading);
  if (isWatching()) timer = setTimeout(tick, Math.max(0, begin + wait() - Date.now()));
}

// How long until the next question. The wait doubles with each failure.
function wait() {
  return Math.min(INTERVAL * 2 ** Math.max(0, failures - 1), LONGEST_WAIT);
}

function take(reading) {
  hideGate();
  failures = 0;
  outageSince = null;
  endOutage();
  if (!paused) showState(reading.health.status === "draining" ? "draining" : "live", reading.health.status === "draining" ? "Shutting down" : "Live");
  samples.add(reading.time, meter.sample(reading));
  showFacts(reading);
  showNodes(reading, meter.nodes);
  showWebhooks(reading);
  show();
  if (reading.time - listsRead >= LIST_INTERVAL) readLists(reading.time);
}

function readLists(time = Date.now()) {
  listsRead = time;
  for (const list of lists) list.refresh();
}

function miss(time, error) {
  console.info("The server could not be read:", error.message);
  failures++;
  outageSince ??= time;
  listsRead = 0;
  leaveGap(time);
  showOutage(outageSince, error.path);
  showState("down", "No answer");
}

// The server has refused us. The page stops asking until somebody enters another token. With 429
// it also asks again after the time that the server gives.
function shutOut(closed) {
  shut = true;
  endOutage();
  showGate(closed);
  showState("shut", "Closed");
  clearTimeout(reopening);
  if (closed.status === 429) reopening = setTimeout(tryAgain, closed.retryAfter);
}

function tryAgain() {
  shut = false;
  tick();
}

// The plots show a gap for a time without measurements.
function leaveGap(time) {
  meter.forget();
  samples.add(time);
  show();
}

function show() {
  plots.show();
  if (!outageSince) showTiles(samples);
  if (Date.now() - summarized >= SUMMARY_INTERVAL) {
    summarized = Date.now();
    showSummaries(samples, span());
  }
}

function pause(yes) {
  paused = yes;
  byId("pause").textContent = paused ? "Resume" : "Pause";
  if (paused) showState("paused", "Paused");
  watchAgainOrStop();
}

function watchAgainOrStop() {
  clearTimeout(timer);
  if (!isWatching()) return;
  if (samples.times.length && Date.now() - samples.times.at(-1) > 2 * INTERVAL) leaveGap(Date.now());
  tick();
}

byId("pause").addEventListener("click", () => pause(!paused));
byId("retry").addEventListener("click", tick);
watchToken(tryAgain);
document.addEventListener("visibilitychange", watchAgainOrStop);
byId("spans").addEventListener("change", () => {
  plots.show(span());
  showSummaries(samples, span());
});
tick();
