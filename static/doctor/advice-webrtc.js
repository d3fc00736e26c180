// Findings about WebRTC. Pure; see advice.js.

import { duration, list, plural } from "./words.js";

export const canCall = (webrtc) => webrtc.state !== "unsupported" && webrtc.pair?.connected !== false;

export function adviseOnCandidates(webrtc) {
  const finding = (level, title, text, advice) => ({ id: "candidates", level, title, text, advice });
  if (webrtc.state === "unsupported") {
    return finding("bad", "This browser cannot make calls", "It lacks WebRTC (RTCPeerConnection), or a setting turns WebRTC off.",
      "Use another browser, or ask your administrator whether a policy turns WebRTC off.");
  }
  if (!webrtc.candidates) {
    return finding("bad", "Ways for calls could not be tested", `The browser says: ${webrtc.failure}`,
      "If the other test of calls works, ask the operator of the server to correct ICE_SERVERS. Otherwise use another browser.");
  }
  const { host, srflx, relay } = webrtc.candidates;
  const text = `This browser found ${list([`${plural(host, "address", "addresses")} of its own`, `${srflx} by a STUN server`, `${relay} by a TURN server`])}.`;
  if (relay > 0) return finding("good", "Calls get through strict networks", text, "Nothing to change: if two people have no direct way to each other, a TURN server passes sound and picture on.");
  if (webrtc.turn > 0) {
    return finding(srflx ? "warn" : "bad", "The TURN server cannot be reached", text,
      "Ask your administrator to let UDP and TCP to the TURN server through. If that is not possible, ask the operator of the server to offer TURN over TLS on port 443.");
  }
  if (webrtc.stun > 0) {
    return srflx
      ? finding("good", "Calls reach other networks", text, "Nothing to change. A TURN server would help people in stricter networks.")
      : finding("warn", "The STUN server cannot be reached", text, "Ask your administrator to let UDP to the STUN server (port 3478) through. If that is not possible, ask the operator of the server to offer TURN over TLS on port 443.");
  }
  if (host === 0) {
    return finding("bad", "Calls find no way out", text, "Ask your administrator whether a policy or an extension keeps WebRTC from using the network.");
  }
  return finding("info", "Calls to other networks could not be tested", `${text} The server names no STUN or TURN server.`,
    "Ask the operator of the server to name a STUN and a TURN server (ICE_SERVERS), so that people in different networks can call each other. Both are parts of coturn.");
}

export function adviseOnPair({ connected, after }) {
  const finding = (level, title, text, advice) => ({ id: "pair", level, title, text, advice });
  return connected
    ? finding("good", "A test call in this page works", `Its two sides were connected after ${duration(after)}.`, "Nothing to change: this browser can make calls.")
    : finding("bad", "A test call in this page fails", "Its two sides were not connected within 5 s.", "Ask your administrator whether a policy, a firewall on this device or an extension keeps WebRTC from using the network.");
}
