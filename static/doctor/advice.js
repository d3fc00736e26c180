// From measurements to findings: what was seen, how good it is, and one sentence on what
// to do. Pure: it takes the results as doctor.js collects them, and an address to name,
// and touches nothing else. A part that is not measured yet is null and gives no finding.
//
// A finding is { id, level, title, text, advice }; its level is "good", "info" (no harm),
// "warn" (works, but not well, or not for all) or "bad".

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

// The whole in a sentence.
function verdictOn({ rungs, posts, silence, exchange }) {
  if (!rungs || !posts) return { level: "pending", text: "Measuring…" };
  const passes = (name) => ["works", "lumps"].includes(rungs[name].state);
  if (posts.state === "blocked") {
    return { level: "bad", text: "Signaling does not get through here: events cannot be sent." };
  }
  const fragile = silence && ["cut", "mute"].includes(silence.state) && silenceBorne(silence) * 1000 <= (exchange?.heartbeatInterval ?? 10_000);
  if (Object.values(rungs).every(({ state }) => state === "works") && posts.state === "works" && !fragile) {
    return { level: "good", text: "Signaling works here, by every way." };
  }
  const ways = { eventSource: "an EventSource", fetchStream: "a stream that is opened by POST", poll: "long polling" };
  const way = Object.keys(ways).find((name) => rungs[name].state === "works") ?? Object.keys(ways).find(passes);
  if (!way) return { level: "bad", text: "Signaling does not get through here: no events arrive." };
  const but = fragile && way !== "poll" ? ", but a stream that is silent is cut soon" : "";
  return { level: "warn", text: `Signaling works here, by ${ways[way]}${but}.` };
}

// How much silence is certain not to hurt.
const silenceBorne = ({ cutAfter, muteBy, lasted }) => Math.min(cutAfter ?? Infinity, muteBy === null ? Infinity : lasted);

function adviseOnSilence(silence, exchange, address) {
  const finding = (level, title, text, advice) => ({ id: "silence", level, title, text, advice });
  const heartbeat = (exchange?.heartbeatInterval ?? 10_000) / 1000;
  switch (silence.state) {
    case "lasted":
      if (silence.lasted <= heartbeat) {
        return finding("info", "Silence is borne as long as it was tried", `A stream that was silent for ${seconds(silence.lasted)} was not cut.`, longer(heartbeat));
      }
      return finding("good", "Silence is borne", `A stream that was silent for ${seconds(silence.lasted)} was not cut.`,
        `Nothing to change: heartbeats every ${seconds(heartbeat)} keep streams well below that.`);
    case "stopped":
      return finding("info", "Silence: stopped early", `A silent stream was still open after ${seconds(silence.lasted)}.`,
        silence.lasted <= heartbeat ? longer(heartbeat) : "Nothing to change: that is longer than heartbeats are apart.");
    case "held":
    case "blocked":
      return finding("info", "Silence: could not be measured", "The silent stream is held back as well, so there is no telling how long it would live.",
        "See to the ways down first, then measure again.");
    case "refused":
      return finding("info", "Silence: could not be measured", "The server, or a proxy before it, refused the silent stream.",
        "Measure again in a minute: the server allows a few of these tests at once.");
  }
  const borne = silenceBorne(silence);
  const text = silence.cutAfter !== null
    ? `A silent stream was cut after ${seconds(silence.cutAfter)}.`
    : `A stream that was silent for ${seconds(silence.muteBy)} went dead without a word; ${silence.lasted ? `${seconds(silence.lasted)} were borne` : "less was not tried"}.`;
  if (borne <= heartbeat) {
    return finding("bad", "Silent streams are cut", text,
      `Ask your administrator to raise the idle timeout for ${address} to 60 s or more (nginx: proxy_read_timeout), or whoever runs the server to set HEARTBEAT_INTERVAL well below ${seconds(borne)}.`);
  }
  if (borne <= 25) {
    return finding("warn", "Silence is cut, but later than heartbeats", text,
      `Streams live by their heartbeats every ${seconds(heartbeat)}, but let polls wait for less than ${seconds(borne)} (“wait” is 25 s by default), or ask your administrator to raise the idle timeout for ${address} to 60 s or more.`);
  }
  return finding("good", "Silence is cut, later than it matters", text,
    `Nothing to change: heartbeats come every ${seconds(heartbeat)} and polls wait for 25 s, unless somebody sets them beyond that.`);
}

const longer = (heartbeat) => `Let the test run longer than the ${seconds(heartbeat)} between two heartbeats to be sure that streams live.`;

function adviseOnFailedExchange({ status }, address) {
  return {
    id: "exchange", level: "bad", title: "The server could not be asked",
    text: status ? `GET ${address}/doctor.json was answered with status ${status}.` : `GET ${address}/doctor.json had no answer in time.`,
    advice: `Ask your administrator to let GET requests to ${address} through.`,
  };
}

function adviseOnProtocol({ browserProtocol, serverProtocol, pageIsSecure, pageIsEncrypted }) {
  const seen = `Your browser speaks ${protocolName(browserProtocol)}; the server hears ${serverProtocol}.`;
  const finding = (level, title, advice) => ({ id: "protocol", level, title, text: seen, advice });
  if (!pageIsSecure) {
    return finding("warn", "The connection is not encrypted",
      "Serve this address by HTTPS: proxies can change what is not encrypted, and browsers give camera and microphone to secure pages only.");
  }
  if (/^(h2|h3)/.test(browserProtocol ?? "")) {
    return finding("good", `${protocolName(browserProtocol)} reaches your browser`, "Nothing to change: any number of tabs may have streams.");
  }
  return finding("info", `Your browser speaks ${protocolName(browserProtocol)}`, pageIsEncrypted
    ? "Let HTTP/2 through to browsers, since over HTTP/1.1 each tab's stream takes one of the six connections that a browser has to a host."
    : "Serve this address by HTTPS and HTTP/2 if many tabs are to be open, since over HTTP/1.1 each one's stream takes one of six connections.");
}

function adviseOnClock({ clockDifference, roundTrip }) {
  const off = Math.abs(clockDifference);
  const sure = `give or take ${duration(roundTrip / 2)}`;
  const text = off <= roundTrip / 2
    ? `This device's clock shows what the server's does, ${sure}.`
    : `This device's clock is ${duration(off)} ${clockDifference > 0 ? "behind" : "ahead of"} the server's, ${sure}.`;
  if (off < 5000) return { id: "clock", level: "good", title: "The clocks agree", text, advice: "Nothing to change." };
  return {
    id: "clock", level: off < 60_000 ? "info" : "warn", title: "The clocks differ", text,
    advice: "Set this device's clock by the network (or the server's, if others see the same), since credentials that are limited in time, such as those of TURN servers, may be refused.",
  };
}
