// What the server refuses comes as a problem document (RFC 9457). Here it becomes
// an error to throw, and a sentence that tells a person what to do next.

export class Problem extends Error {
  constructor({ type = "about:blank", title = "", status = 0, detail = "", errors = [] }) {
    super(detail || title);
    this.name = "Problem";
    this.kind = String(type).split("/").pop();
    this.title = title;
    this.status = status;
    this.detail = detail;
    this.errors = Array.isArray(errors) ? errors : [];
  }
}

// A proxy in between may answer with a page of its own, so no body is relied on.
export async function readProblem(response) {
  const type = response.headers.get("Content-Type") ?? "";
  if (type.includes("json")) {
    const body = await response.json().catch(() => null);
    if (body) return new Problem({ ...body, status: response.status });
  }
  return new Problem({
    status: response.status,
    detail: `The server, or a proxy before it, answered with status ${response.status}.`,
  });
}

const ADVICE = {
  "unreachable": "The server could not be reached. Check your network; the page keeps trying.",
  "session-ended": "The connection was renewed before this could be sent. Please try again.",
  "unknown-session": "The server no longer knows this page. It is joining again by itself.",
  "access-denied": "This room asks for an access token, which this demo does not have. Choose another room.",
  "room-full": "This room is full. Choose another room, or try again when somebody has left.",
  "not-in-room": "You are not in a room any more. Join again.",
  "target-not-found": "That person has just left the room.",
  "target-overflow": "That person’s connection is too slow to take more at the moment. Try again shortly.",
  "payload-too-large": "That was too much for one message. Make it shorter.",
  "rate-limited": "That was too much in a short time. Wait a few seconds, then try again.",
  "shutting-down": "The server is about to restart. Try again in a few seconds.",
  "at-capacity": "The server is full at the moment. Try again in a minute.",
};

export function explain(problem) {
  const reasons = (problem.errors ?? []).map((error) => error.message).filter(Boolean);
  if (reasons.length) return `Please correct this and try again: ${reasons.join("; ")}.`;
  if (ADVICE[problem.kind]) return ADVICE[problem.kind];
  const text = [problem.title, problem.detail || problem.message].filter(Boolean);
  return `${[...new Set(text)].join(": ") || "Something went wrong"} – please try again.`;
}
