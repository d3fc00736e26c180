// What the server refuses, as a sentence that tells a person what to do next.

const ADVICE = {
  "unreachable": "The server could not be reached. Check your network; the page keeps trying.",
  "session-ended": "The connection was renewed before this could be sent. Please try again.",
  "access-denied": "This room asks for an access token, which this demo does not have. Choose another room.",
  "room-full": "This room is full. Choose another room, or try again when somebody has left.",
  "not-in-room": "You are not in a room any more. Join again.",
  "target-overflow": "That person’s connection is too slow to take more at the moment. Try again shortly.",
  "payload-too-large": "That was too much for one message. Make it shorter.",
  "rate-limited": "That was too much in a short time. Wait a few seconds, then try again.",
  "shutting-down": "The server is about to restart. Try again in a few seconds.",
  "at-capacity": "The server is full at the moment. Try again in a minute.",
};

const kindOf = (problem) => String(problem.type).split("/").pop() ?? "";

// A member may leave while something is on its way to it, and the server tells of that
// separately: no news for a person.
export const isNews = (problem) => !["target-not-found", "session-ended", "not-in-room"].includes(kindOf(problem));

export function explain(problem) {
  const reasons = (problem.errors ?? []).map((error) => error.message).filter(Boolean);
  if (reasons.length) return `Please correct this and try again: ${reasons.join("; ")}.`;
  if (ADVICE[kindOf(problem)]) return ADVICE[kindOf(problem)];
  const text = [problem.title, problem.detail].filter(Boolean);
  return `${[...new Set(text)].join(": ") || "Something went wrong"} – please try again.`;
}
