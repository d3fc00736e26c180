// The doctor: runs the measurements, and shows the results so far.

import { copyText, say } from "../assets/copy.js";
import { byId, server as address } from "../assets/page.js";
import { advise } from "./advice.js";
import { measureExchange } from "./exchange.js";
import { proxiesOf, resetPicture, showLane, showPosts, showProxies, showRung, showSilence } from "./picture.js";
import { fileName, makeReport, reportText, save } from "./report.js";
import { judgePosts, measureRungs } from "./rungs.js";
import { measureSilence } from "./silence.js";
import { allowReport, showFindings, showReport, showVerdict } from "./view.js";
import { measureWebRTC } from "./webrtc.js";

const LONGEST_SILENCE = 120; // seconds, unless the address says otherwise: ?silence=30

const browser = navigator.userAgent;
let results = nothingYet();
let stopping = new AbortController();

/**
 * The results of a run, by part. A part is null until it is measured.
 * @returns {{ measuredAt: Date, isOffline: boolean, worker: string | null, exchange: any, proxies: any, rungs: any, posts: any, silence: any, webrtc: any }}
 */
function nothingYet() {
  return {
    measuredAt: new Date(), isOffline: navigator.onLine === false, worker: findWorker(),
    exchange: null, proxies: null, rungs: null, posts: null, silence: null, webrtc: null,
  };
}

// Returns the address of the service worker that answers the requests of this page, if there is one.
function findWorker() {
  try {
    return navigator.serviceWorker?.controller?.scriptURL ?? null;
  } catch {
    return null; // a page without storage has no worker
  }
}

// Measures everything. Everything except the silence ends within about fifteen seconds, even if much
// of it fails. The silence begins after the other streams, because a browser has six connections to a
// host: silent streams would take some of them from the other tests.
async function examine() {
  const own = nothingYet();
  results = own;
  stopping = new AbortController();
  allowReport(false);
  resetPicture();
  show();

  results.exchange = await measureExchange();
  results.proxies = proxiesOf(results.exchange);
  showProxies(results);
  let onConnected;
  const webrtc = new Promise((resolve) => { onConnected = resolve; }).then(measureWebRTC).then((found) => {
    results.webrtc = found;
    show();
  });

  showLane("post", "testing");
  const rungs = await measureRungs({ onChange: showRung, onConnected });
  onConnected([]); // has no effect if a rung has brought ICE servers
  results.posts = await judgePosts(rungs);
  results.rungs = rungs;
  showPosts(results.posts);
  showProxies(results);
  show();

  const silence = measureSilence({ limit: longestSilence(), signal: stopping.signal, onChange: (state) => own === results && onSilence(state) });
  await webrtc;
  allowReport(true);
  await silence;
}

function onSilence(silence) {
  results.silence = silence;
  showProxies(results);
  const { findings } = show();
  const level = findings.find(({ id }) => id === "silence")?.level;
  showSilence(silence, level, results.exchange.heartbeatInterval ?? 10_000);
}

function longestSilence() {
  const asked = Number.parseInt(new URLSearchParams(location.search).get("silence") ?? "", 10);
  return Number.isNaN(asked) ? LONGEST_SILENCE : Math.min(Math.max(asked, 1), 180);
}

function show() {
  const advice = advise(results, address);
  showVerdict(advice.verdict);
  showFindings(advice.findings, results);
  if (results.rungs) showReport(reportText(report(advice)));
  return advice;
}

const report = (advice = advise(results, address)) => makeReport({ results, ...advice, address, browser });

byId("stop").addEventListener("click", () => {
  stopping.abort();
  byId("again").focus(); // the button that had the focus is gone
});
byId("again").addEventListener("click", () => {
  stopping.abort();
  examine();
});
byId("save-text").addEventListener("click", () => {
  trySaving("save-text", "txt", "text/plain", reportText(report()));
});
byId("save-json").addEventListener("click", () => {
  trySaving("save-json", "json", "application/json", JSON.stringify(report(), null, 2));
});
byId("copy-report").addEventListener("click", () => copyText(reportText(report()), byId("copy-report"), byId("report-text")));

function trySaving(button, extension, type, content) {
  try {
    save(fileName(results.measuredAt, extension), type, content);
  } catch {
    say(byId(button), "Not saved");
  }
}

examine();
