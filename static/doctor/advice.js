// Makes findings from measurements: what was seen, how good it is, and one sentence on what to do.
// Pure: it depends only on the results that doctor.js collects, and on the server's address. A
// part that is not measured yet is null, and has no finding.
//
// A finding is { id, level, title, text, advice }. Its level is "good", "info" (no harm), "warn"
// (works, but not well, or not for everybody) or "bad".

import { adviseOnHeaders } from "./advice-headers.js";
import { adviseOnRungs, adviseOnPosts } from "./advice-rungs.js";
import { adviseOnPair, adviseOnCandidates } from "./advice-webrtc.js";
import { duration, protocolName, seconds } from "./words.js";

export function advise(results, address) {
  const { exchange, rungs, posts, silence, webrtc } = results;
  const findings = [];
  if (rungs) findings.push(...adviseOnRungs(rungs, address));
  if (posts) findings.push(adviseOnPosts(posts, exchange, address));
  if (silence && silence.state !== "testing") findings.push(adviseOnSilence(silence, exchange, address));
  if (exchange?.state === "failed") findings.push(adviseOnFailedExchange(exchange, address));
  if (exchange?.state === "measured") {
    findings.push(...adviseOnHeaders(exchange, address), adviseOnProtocol(exchange), adviseOnClock(exchange));
  }
  if (webrtc) findings.push(adviseOnCandidates(webrtc));
  if (webrtc?.pair) findings.push(adviseOnPair(webrtc.pair));
  return { verdict: verdictOn(results), findings };
}

// Sums up all results in one sentence.
function verdictOn({ rungs, posts, silence, exchange }) {
  if (!rungs || !posts) return { level: "pending", text: "Measuring…" };
  const passes = (name) => ["works", "lumps"].includes(rungs[name].state);
  if (posts.state === "blocked") {
    return { level: "bad", text: "Signaling does not work here: events cannot be sent." };
  }
  const fragile = silence && ["cut", "mute"].includes(silence.state) && harmlessSilence(silence) * 1000 <= (exchange?.heartbeatInterval ?? 10_000);
  if (Object.values(rungs).every(({ state }) => state === "works") && posts.state === "works" && !fragile) {
    return { level: "good", text: "Signaling works here, by every transport." };
  }
  const ways = { eventSource: "EventSource", fetchStream: "a stream opened by POST", poll: "long polling" };
  const way = Object.keys(ways).find((name) => rungs[name].state === "works") ?? Object.keys(ways).find(passes);
  if (!way) return { level: "bad", text: "Signaling does not work here: no events arrive." };
  const but = fragile && way !== "poll" ? ", but idle streams are cut soon" : "";
  return { level: "warn", text: `Signaling works here, by ${ways[way]}${but}.` };
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
        `Nothing to change: with a heartbeat every ${seconds(heartbeat)}, streams are never idle for so long.`);
    case "stopped":
      return finding("info", "Idle streams: test stopped early", `An idle stream was still open after ${seconds(silence.lasted)}.`,
        silence.lasted <= heartbeat ? longer(heartbeat) : "Nothing to change: heartbeats come more often than that.");
    case "held":
    case "blocked":
      return finding("info", "Idle streams: could not be measured", "The idle stream is held back as well, so this page cannot measure how long it stays open.",
        "Fix the ways down first, then measure again.");
    case "refused":
      return finding("info", "Idle streams: could not be measured", "The server, or a proxy in front of it, refused the idle stream.",
        "Measure again in a minute: the server allows only a few of these tests at once.");
  }
  const borne = harmlessSilence(silence);
  const text = silence.cutAfter !== null
    ? `An idle stream was cut after ${seconds(silence.cutAfter)}.`
    : `An idle stream was dead after ${seconds(silence.muteBy)}, although nothing closed it; ${silence.lasted ? `another was still open after ${seconds(silence.lasted)}` : "no shorter time was tested"}.`;
  if (borne <= heartbeat) {
    return finding("bad", "Idle streams are cut", text,
      `Ask your administrator to raise the idle timeout for ${address} to 60 s or more (nginx: proxy_read_timeout), or ask the operator of the server to set HEARTBEAT_INTERVAL well below ${seconds(borne)}.`);
  }
  if (borne <= 25) {
    return finding("warn", "Idle streams are cut, but later than heartbeats come", text,
      `Heartbeats every ${seconds(heartbeat)} keep streams open, but let polls wait for less than ${seconds(borne)} (“wait” is 25 s by default), or ask your administrator to raise the idle timeout for ${address} to 60 s or more.`);
  }
  return finding("good", "Idle streams are cut, but late enough", text,
    `Nothing to change: heartbeats come every ${seconds(heartbeat)}, and polls wait for 25 s unless somebody sets more.`);
}

const longer = (heartbeat) => `Let the test run longer than the ${seconds(heartbeat)} between two heartbeats to be sure that streams stay open.`;

function adviseOnFailedExchange({ status }, address) {
  return {
    id: "exchange", level: "bad", title: "The server did not answer",
    text: status ? `The answer to GET ${address}/doctor.json had status ${status}.` : `There was no answer to GET ${address}/doctor.json in time.`,
    advice: `Ask your administrator to let GET requests to ${address} through.`,
  };
}

function adviseOnProtocol({ browserProtocol, serverProtocol, pageIsSecure, pageIsEncrypted }) {
  const seen = `Your browser speaks ${protocolName(browserProtocol)}, and the server receives ${serverProtocol}.`;
  const finding = (level, title, advice) => ({ id: "protocol", level, title, text: seen, advice });
  if (!pageIsSecure) {
    return finding("warn", "The connection is not encrypted",
      "Serve this address by HTTPS: proxies can change unencrypted data, and browsers allow camera and microphone only on secure pages.");
  }
  if (/^(h2|h3)/.test(browserProtocol ?? "")) {
    return finding("good", `${protocolName(browserProtocol)} reaches your browser`, "Nothing to change: any number of tabs can have streams.");
  }
  return finding("info", `Your browser speaks ${protocolName(browserProtocol)}`, pageIsEncrypted
    ? "Let HTTP/2 through to browsers, because over HTTP/1.1 each tab's stream takes one of the six connections that a browser has to a host."
    : "Serve this address by HTTPS and HTTP/2 if people open many tabs, because over HTTP/1.1 each tab's stream takes one of six connections.");
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
    advice: "Set this device's clock by the network, or the server's clock if other devices see the same difference, because credentials with a time limit, such as those of TURN servers, may be refused.",
  };
}
