// The report: all results, to keep or to send to the network's administrator. It is made of named
// parts only, so that nothing else can get into it, above all no token. Pure, except for saving.

import { RUNG_NAMES } from "./advice-rungs.js";
import { duration, list, plural, protocolName, seconds } from "./words.js";

const LEVEL_WORDS = { good: "ok", info: "note", warn: "WARNING", bad: "PROBLEM" };

export function makeReport({ results, verdict, findings, address, browser }) {
  const { measuredAt, worker, exchange, rungs, posts, silence, webrtc, proxies } = results;
  return {
    report: "What does my network allow?",
    server: address,
    serverVersion: exchange?.serverVersion ?? null,
    measuredAt: measuredAt.toISOString(),
    browser,
    verdict: verdict.text,
    serviceWorker: worker,
    findings,
    measurements: {
      proxies,
      rungs: rungs && Object.fromEntries(Object.entries(rungs).map(([name, rung]) => [name, rungReport(rung)])),
      post: posts,
      silence: silence && silenceReport(silence),
      exchange: exchange && exchangeReport(exchange),
      webrtc,
    },
  };
}

const rounded = (ms) => (ms === null || ms === undefined ? null : Math.round(ms * 10) / 10);

const rungReport = ({ state, firstEvent, failure, sent, arrivals, lump, heldFor }) => ({
  state,
  firstEventMs: rounded(firstEvent),
  failure,
  pingsSentAtMs: sent.map(rounded),
  pongsArrivedAtMs: arrivals.map(({ at }) => rounded(at)),
  largestLump: lump,
  heldForMs: rounded(heldFor),
});

const silenceReport = ({ state, limit, lengths, lasted, cutAfter, muteBy }) => ({
  state, limitSeconds: limit, lengths, lastedSeconds: lasted ?? null, cutAfterSeconds: cutAfter ?? null, deadBySeconds: muteBy ?? null,
});

const exchangeReport = (exchange) => exchange.state === "failed" ? exchange : {
  roundTripMs: rounded(exchange.roundTrip),
  clockDifferenceMs: rounded(exchange.clockDifference),
  browserProtocol: exchange.browserProtocol,
  serverProtocol: exchange.serverProtocol,
  serverTls: exchange.serverTls,
  pageIsSecure: exchange.pageIsSecure,
  remoteAddress: exchange.remoteAddress,
  forwardedFor: exchange.forwardedFor,
  heartbeatIntervalMs: exchange.heartbeatInterval,
  resumeWindowMs: exchange.resumeWindow,
  requestHeaders: exchange.request,
  responseHeaders: exchange.response,
};

// ---- The report as text

export function reportText(report) {
  const { measurements: m } = report;
  return [
    `What my network allows: a report on ${report.server}`,
    "",
    `Measured  ${report.measuredAt.slice(0, 19).replace("T", " ")} UTC`,
    `Browser   ${report.browser}`,
    `Server    signaling-server ${report.serverVersion ?? "of unknown version"}`,
    "",
    report.verdict,
    "",
    "Calls in the browser are set up by this server. It speaks ordinary HTTP: answers of type text/event-stream that stay open, and short POST requests with JSON. It needs no WebSocket, and nothing has to be installed.",
    "",
    ...section("WHAT TO CHANGE", report.findings.filter(({ level }) => ["bad", "warn"].includes(level)), "Nothing."),
    ...section("WHAT ELSE WAS FOUND", report.findings.filter(({ level }) => ["good", "info"].includes(level)), "Nothing."),
    "MEASUREMENTS",
    "",
    ...Object.entries(m.rungs ?? {}).map(([name, rung]) => rungLine(name, rung)),
    ...(m.silence ? [silenceLine(m.silence)] : []),
    ...(m.exchange?.requestHeaders ? exchangeLines(m.exchange) : []),
    "",
  ].join("\n");
}

function section(title, findings, otherwise) {
  const lines = findings.flatMap(({ level, title, text, advice }) => [
    `- [${LEVEL_WORDS[level]}] ${title}`,
    `  ${text}`,
    `  ${toAdministrator(advice)}`,
    "",
  ]);
  return [title, "", ...(lines.length ? lines : [otherwise, ""])];
}

// The page asks a person to ask the administrator. The report asks the administrator.
function toAdministrator(advice) {
  return advice
    .replace(/\bask your administrator not to /gi, "Please do not ")
    .replace(/\bask your administrator to /gi, "Please ")
    .replace(/\bask your administrator whether /gi, "Please find out whether ")
    .replace(/([^.] )Please /g, (_, before) => `${before}please `);
}

function rungLine(name, { state, firstEventMs, pingsSentAtMs, pongsArrivedAtMs, largestLump }) {
  const events = `${pongsArrivedAtMs.length} of ${pingsSentAtMs.length} events, ${largestLump} at once at most`;
  return `${RUNG_NAMES[name]}: ${state}; first event after ${duration(firstEventMs)}; ${events}`;
}

function silenceLine({ state, lengths }) {
  const outcomes = lengths.map((each) => `${each.seconds} s: ${each.state}${each.state === "cut" && each.after !== null ? ` after ${seconds(each.after)}` : ""}`);
  return `Idle stream: ${state === "testing" ? "still being measured" : state} (${outcomes.join(", ")})`;
}

function exchangeLines(exchange) {
  const headerLines = (title, { added, removed, changed }) => [
    ...added.map(({ name, value }) => `${title}, added: ${name}: ${value}`),
    ...removed.map(({ name }) => `${title}, taken out: ${name}`),
    ...changed.map(({ name, from, to }) => `${title}, changed: ${name}: ${from} -> ${to}`),
  ];
  const chain = exchange.forwardedFor.length ? `, forwarded for ${list(exchange.forwardedFor)}` : "";
  return [
    `Protocol: ${protocolName(exchange.browserProtocol)} at the browser, ${exchange.serverProtocol} at the server`,
    `Round trip: ${duration(exchange.roundTripMs)}; clock difference: ${plural(Math.round(exchange.clockDifferenceMs), "ms", "ms")}`,
    `Seen from the server: ${exchange.remoteAddress}${chain}`,
    ...headerLines("Request header", exchange.requestHeaders),
    ...headerLines("Response header", exchange.responseHeaders),
  ];
}

// ---- Saving

export function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // by then the browser has read it
}

export const fileName = (measuredAt, extension) =>
  `network-report-${measuredAt.toISOString().slice(0, 16).replace(/[T:]/g, "-")}.${extension}`;
