// Sums up each event in one line. Socket IDs are cut to their first characters.

import { isolate } from "./names.js";

const short = (socketId) => String(socketId ?? "").slice(0, 6);

const GISTS = {
  "room-joined": (data) => `${isolate(data.roomId)}, ${data.users?.length ?? 0} here`,
  "room-left": (data) => `${isolate(data.roomId)}, ${data.reason}`,
  "disconnected": (data) => [data.reason, data.detail, data.retryAfter && `back in ${data.retryAfter} ms`].filter(Boolean).join(", "),
  "announcement": (data) => JSON.stringify(data.data),
  "user-connected": (data) => `${isolate(data.userId)} (${short(data.socketId)})`,
  "user-disconnected": (data) => `${isolate(data.userId)} (${short(data.socketId)}), ${data.reason}`,
  "user-away": (data) => isolate(data.userId),
  "user-back": (data) => isolate(data.userId),
  "offer": (data) => description(data, data.offer),
  "answer": (data) => description(data, data.answer),
  "ice-candidate": (data) => `from ${short(data.from)}, ${candidate(data.candidate)}`,
  "signal": (data) => `from ${short(data.from)}, ${JSON.stringify(data.data)}`,
  "new-message": (data) => `${isolate(data.userId)}: ${isolate(data.message)}`,
  "user-typing": (data) => `${isolate(data.userId)} ${data.isTyping ? "types" : "stopped"}`,
  "pong": (data) => String(data.timestamp),
  "server-shutdown": (data) => `${data.message}, back in ${data.reconnectAfter} ms`,
};

export function gist(type, data) {
  return GISTS[type]?.(data) ?? "";
}

function description(data, { sdp = "" } = {}) {
  const kinds = [...sdp.matchAll(/^m=(\w+)/gm)].map((match) => match[1] === "application" ? "data" : match[1]);
  return `from ${short(data.from)}, ${kinds.join(" + ") || "no media"}, ${sdp.length} characters`;
}

function candidate(value) {
  if (!value?.candidate) return "end of candidates";
  const [, , protocol, , address, port, , kind] = value.candidate.split(" ");
  return `${kind} ${protocol} ${address}:${port}`;
}
