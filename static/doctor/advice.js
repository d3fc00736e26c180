// Makes findings from measurements: what was seen, how good it is, and what to do.
// Pure: it depends only on the results that doctor.js collects, and on the server's address. A
// part that is not measured yet is null, and has no finding.
//
// A finding is { id, level, title, text, advice }. Its level is "good", "info" (no harm), "warn"
// (works, but not well, or not for everybody) or "bad".

import { adviseOnHeaders } from "./advice-headers.js";
import { adviseOnRungs, adviseOnPosts, isBusy } from "./advice-rungs.js";
import { adviseOnPair, adviseOnCandidates, canCall } from "./advice-webrtc.js";
import { answered, duration, protocolName, seconds } from "./words.js";

export function advise(results, address) {
  const { exchange, worker, rungs, posts, silence, webrtc } = results;
  const findings = [];
  if (worker) findings.push(adviseOnWorker(worker));
  if (rungs) findings.push(...adviseOnRungs(rungs, address));
  if (posts) findings.push(adviseOnPosts(posts, exchange, address));
  if (silence && silence.state !== "testing") findings.push(adviseOnSilence(silence, exchange, address));
  if (exchange?.state === "failed") findings.push(adviseOnFailedExchange(exchange, address));
  if (exchange?.state === "measured") {
    findings.push(...adviseOnHeaders(exchange, address), adviseOnProtocol(exchange), adviseOnClock(exchange));
  }
  if (webrtc) findings.push(adviseOnCandidates(webrtc));
  if (webrtc?.pair) findings.push(adviseOnPair(webrtc.pair));
  return { verdict: verdictOn(results, findings), findings };
}

const AGAIN = "Measure again in a minute. If the server still refuses, tell its operator.";
const SEND = "Send the report below to the administrator of your network: it says what to change.";
const LOOK = "The findings below say what to do.";

// Sums up all results in one sentence, and says in another what to do.
function verdictOn({ isOffline, rungs, posts, silence, exchange, webrtc }, findings) {
  if (!rungs || !posts) return { level: "pending", text: "Measuring…", next: "This takes about ten seconds." };
  const isUnreachable = exchange?.state === "failed" && !exchange.status && !posts.status && posts.state === "blocked"
    && Object.values(rungs).every(({ firstEvent, failure }) => firstEvent === null && !failure?.status);
  if (isUnreachable) {
    return isOffline
      ? { level: "bad", text: "This device is offline.", next: "Connect it to a network, then measure again." }
      : { level: "bad", text: "This browser cannot reach the server at all.", next: "Check whether other pages open, whether the network wants you to log in, and whether an extension blocks requests. Otherwise send the report below to the administrator of your network." };
  }
  const states = Object.values(rungs);
  if (exchange?.isForeign && states.every(({ firstEvent }) => firstEvent === null)) {
    return { level: "bad", text: "Something in this network answers in place of the server.", next: "If the network wants you to log in, do that, then measure again. Otherwise send the report below to the administrator of your network." };
  }
  if (states.every((rung) => isBusy(rung))) return { level: "bad", text: "The server is busy, and refused the test.", next: AGAIN };
  if (posts.state === "blocked") return { level: "bad", text: "Calls cannot be set up from this network: nothing can be sent to the server.", next: SEND };
  const passes = (name) => ["works", "lumps"].includes(rungs[name].state);
  const ways = { eventSource: "a live stream", fetchStream: "a live stream opened by POST", poll: "long polling, which is slower" };
  const way = Object.keys(ways).find((name) => rungs[name].state === "works") ?? Object.keys(ways).find(passes);
  if (!way) return { level: "bad", text: "Calls cannot be set up from this network: no events arrive from the server.", next: SEND };
  if (webrtc && !canCall(webrtc)) return { level: "bad", text: "This browser cannot make calls, although the network lets them be set up.", next: LOOK };
  const fragile = silence && ["cut", "mute"].includes(silence.state) && harmlessSilence(silence) <= (exchange?.heartbeatInterval ?? 10_000) / 1000;
  const failing = states.filter(({ state }) => state !== "works");
  const allWork = failing.length === 0;
  const isBrowsersFault = failing.length > 0 && failing.every(({ state }) => state === "unsupported") && !fragile && posts.state === "works";
  if (!allWork || posts.state !== "works" || fragile) {
    const but = fragile && way !== "poll" ? ", but the connection is often cut" : allWork ? "" : `, but only by ${ways[way]}`;
    return { level: "warn", text: `Calls can be set up from this network${but}.`, next: isBrowsersFault ? LOOK : SEND };
  }
  if (exchange?.pageIsSecure === false) {
    return { level: "warn", text: "Calls can be set up from this network, but without camera and microphone.", next: "The address of this page begins with http. Ask the operator of the server for an address that begins with https." };
  }
  if (findings.some(({ id, level }) => id === "candidates" && ["warn", "bad"].includes(level))) {
    return { level: "warn", text: "Calls can be set up from this network, but sound and picture may not get through.", next: SEND };
  }
  const couldBeBetter = findings.some(({ level }) => ["warn", "bad"].includes(level));
  return { level: "good", text: "Calls can be set up from this network.", next: couldBeBetter ? "Some things could be better: see the findings below." : "You need to do nothing." };
}

// The longest silence, in seconds, that is known to do no harm.
const harmlessSilence = ({ cutAfter, muteBy, lasted }) => Math.min(cutAfter ?? Infinity, muteBy === null ? Infinity : lasted);

function adviseOnSilence(silence, exchange, address) {
  const finding = (level, title, text, advice) => ({ id: "silence", level, title, text, advice });
  const heartbeat = (exchange?.heartbeatInterval ?? 10_000) / 1000;
  switch (silence.state) {
    case "lasted":
      if (silence.lasted <= heartbeat) {
        return finding("info", "Idle streams stay open, but the test was short", `A stream that was idle for ${seconds(silence.lasted)} was not cut.`, longer(heartbeat));
      }
      return finding("good", "Idle streams stay open", `A stream that was idle for ${seconds(silence.lasted)} was not cut.`,
        `Nothing to change: the server sends a heartbeat every ${seconds(heartbeat)}, so no stream is idle for so long.`);
    case "stopped":
      return finding("info", "The test of idle streams was stopped early", `An idle stream was still open after ${seconds(silence.lasted)}.`,
        silence.lasted <= heartbeat ? longer(heartbeat) : "Nothing to change: heartbeats come more often than that.");
    case "held":
    case "blocked":
      return finding("info", "Idle streams could not be measured", "The idle stream is held back as well, so this page cannot measure how long it stays open.",
        "Mend the live streams first, as their findings say. Then measure again.");
    case "unsupported":
      return finding("info", "Idle streams could not be measured", "This browser cannot read an answer while it arrives.",
        "Measure with a newer browser if calls break off after a while.");
    case "refused":
      return finding("info", "Idle streams could not be measured", "The server, or a proxy in front of it, refused the idle stream.",
        "Measure again in a minute: the server allows only a few of these tests at once.");
  }
  const borne = harmlessSilence(silence);
  const text = silence.cutAfter !== null
    ? `A stream on which nothing was sent was cut after ${seconds(silence.cutAfter)}.`
    : `A stream on which nothing was sent was dead after ${seconds(silence.muteBy)}, although nothing closed it. ${silence.lasted ? `Another was still open after ${seconds(silence.lasted)}` : "No shorter time was tested"}.`;
  if (borne <= heartbeat) {
    return finding("bad", "Idle streams are cut", text,
      `Ask your administrator to raise the idle timeout for ${address} to 60 s or more. In nginx this is “proxy_read_timeout”. If that is not possible, ask the operator of the server to set HEARTBEAT_INTERVAL well below ${seconds(borne)}.`);
  }
  if (borne <= 25) {
    return finding("warn", "Idle streams are cut, but later than heartbeats come", text,
      `Ask your administrator to raise the idle timeout for ${address} to 60 s or more. Heartbeats every ${seconds(heartbeat)} keep live streams open, but long polling waits for 25 s: pages can set “wait” to less than ${seconds(borne)}.`);
  }
  return finding("good", "Idle streams are cut, but late enough", text,
    `Nothing to change: heartbeats come every ${seconds(heartbeat)}, and long polling waits for 25 s.`);
}

const longer = (heartbeat) => `Let the test run longer than the ${seconds(heartbeat)} between two heartbeats, to be sure that streams stay open.`;

function adviseOnFailedExchange({ status, isForeign }, address) {
  return {
    id: "exchange", level: "bad", title: "The server did not answer the first test",
    text: isForeign ? `Something on the way answered GET ${address}/doctor.json in place of the server.` : status ? `${answered(`The request GET ${address}/doctor.json`, status)}.` : `There was no answer to GET ${address}/doctor.json in time.`,
    advice: `Ask your administrator to let GET requests to ${address} through.`,
  };
}

// A program in the browser, which another app at this address has left there.
function adviseOnWorker(worker) {
  return {
    id: "worker", level: "warn", title: "A service worker answers in place of the server",
    text: `An app at this address left the program ${worker} in this browser. It may store answers, and repeat old ones.`,
    advice: "Delete the data of this site in the settings of the browser, then measure again. Ask the developer of that app to let /events pass the worker.",
  };
}

function adviseOnProtocol({ browserProtocol, serverProtocol, pageIsSecure, pageIsEncrypted }) {
  const seen = browserProtocol
    ? `Your browser speaks ${protocolName(browserProtocol)}, and the server receives ${serverProtocol}.`
    : `Your browser does not say how it is connected. The server receives ${serverProtocol}.`;
  const finding = (level, title, advice) => ({ id: "protocol", level, title, text: seen, advice });
  if (!pageIsSecure) {
    return finding("warn", "No camera and microphone: the connection is not encrypted",
      "Ask the operator of the server to serve this address by HTTPS. Browsers give camera and microphone only to pages by https and on localhost, and proxies can change what is not encrypted.");
  }
  if (!browserProtocol) return finding("info", "The protocol is not known", "Nothing to change.");
  if (/^(h2|h3)/.test(browserProtocol ?? "")) {
    return finding("good", `${protocolName(browserProtocol)} reaches your browser`, "Nothing to change: calls work in any number of tabs.");
  }
  return finding("info", `Your browser speaks ${protocolName(browserProtocol)}`, pageIsEncrypted
    ? "Nothing to change if people open up to five tabs. For more, ask the operator of the server to let HTTP/2 through to browsers."
    : "Nothing to change if people open up to five tabs. For more, ask the operator of the server to serve this address by HTTPS and HTTP/2.");
}

function adviseOnClock({ clockDifference, roundTrip }) {
  const off = Math.abs(clockDifference);
  const sure = `to within ${duration(roundTrip / 2)}`;
  const text = off <= roundTrip / 2
    ? `This device's clock agrees with the server's, ${sure}.`
    : `This device's clock is ${duration(off)} ${clockDifference > 0 ? "behind" : "ahead of"} the server's, ${sure}.`;
  if (off < 5000) return { id: "clock", level: "good", title: "The clocks agree", text, advice: "Nothing to change." };
  return {
    id: "clock", level: off < 60_000 ? "info" : "warn", title: "The clocks differ", text,
    advice: "Set this device's clock by the network. If other devices see the same difference, tell the operator of the server. Passwords with a time limit, such as those of TURN servers, may be refused.",
  };
}
