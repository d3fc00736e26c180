// Findings about WebRTC. Pure; see advice.js.

import { duration, list, plural } from "./words.js";

export function adviseOnCandidates(webrtc) {
  const finding = (level, title, text, advice) => ({ id: "candidates", level, title, text, advice });
  if (webrtc.state === "unsupported") {
    return finding("bad", "This browser has no WebRTC", "It lacks RTCPeerConnection.", "Use another browser, or ask your administrator whether a policy turns WebRTC off.");
  }
  const { host, srflx, relay } = webrtc.candidates;
  const text = `Found: ${list([plural(host, "host candidate"), `${srflx} server-reflexive`, `${relay} relay`])}.`;
  if (relay > 0) return finding("good", "Peers can be reached by a relay", text, "Nothing to change: if peers cannot reach each other directly, the relay carries their data.");
  if (webrtc.turn > 0) {
    return finding(srflx ? "warn" : "bad", "No relay can be reached", text,
      "Ask your administrator to let UDP and TCP to the TURN server through, or ask its operator to serve TURN over TLS on port 443.");
  }
  if (webrtc.stun > 0) {
    return srflx
      ? finding("good", "Peers outside can reach this browser", text, "Nothing to change, although a TURN server would help peers in stricter networks.")
      : finding("warn", "No STUN server can be reached", text, "Ask your administrator to let UDP to the STUN server (port 3478) through, or set up a TURN server over TLS on port 443.");
  }
  if (host === 0) {
    return finding("bad", "WebRTC finds no address", text, "Ask your administrator whether a policy or an extension keeps WebRTC from using the network.");
  }
  return finding("info", "Only host candidates could be tested", `${text} This server names no STUN or TURN server.`,
    "Set up a STUN and TURN server (such as coturn, with TLS on port 443 for strict networks) and give its address to your pages as iceServers, so that peers in different networks find each other.");
}

export function adviseOnPair({ connected, after }) {
  return connected
    ? { id: "pair", level: "good", title: "Two peers connect in this page", text: `Their data channel was open after ${duration(after)}.`, advice: "Nothing to change: this browser can do WebRTC." }
    : { id: "pair", level: "bad", title: "Two peers in this page do not connect", text: "Their data channel did not open within 5 s.", advice: "Ask your administrator whether a policy, a firewall on this device or an extension keeps WebRTC from using the network." };
}
