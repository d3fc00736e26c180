// Explains to the person what the server refused, and what to do next.

const ADVICE = {
  "unreachable": "The server could not be reached. Check your network. The page keeps trying.",
  "session-ended": "This was not sent, because the connection was lost. Please try again.",
  "access-denied": "This server lets only known people into this room, and this demo cannot say who you are. Choose another room.",
  "room-full": "This room is full. Choose another room, or try again later.",
  "not-in-room": "You are no longer in a room. Join again.",
  "target-overflow": "That person’s connection is too slow for more now. Try again shortly.",
  "payload-too-large": "This message is too long. Make it shorter.",
  "rate-limited": "You sent too much in a short time. Wait a few seconds, then try again.",
  "shutting-down": "The server is about to restart. Try again in a few seconds.",
  "at-capacity": "The server is full now. Try again in a minute.",
};

const kindOf = (problem) => String(problem.type).split("/").pop() ?? "";

// Reports whether a problem is news for the person. A member may leave while a signal is on its
// way to it: user-disconnected already says so.
export const isNews = (problem) => !["target-not-found", "session-ended", "not-in-room"].includes(kindOf(problem));

export function explain(problem) {
  const reasons = (problem.errors ?? []).map((error) => error.message).filter(Boolean);
  if (reasons.length) return `Please correct this and try again: ${reasons.join("; ")}.`;
  if (ADVICE[kindOf(problem)]) return ADVICE[kindOf(problem)];
  const text = [problem.title, problem.detail].filter(Boolean);
  return `${[...new Set(text)].join(": ") || "Something went wrong"} – please try again.`;
}
