// The server refuses with a problem document (RFC 9457). Here the problem is an Error that has
// the document's members.

export class Problem extends Error {
  /** @param {{ type?: string, title?: string, detail?: string, status?: number, errors?: { field: string, message: string }[] }} document */
  constructor({ type = "about:blank", title = "", detail = "", status = 0, errors }) {
    super(errors?.map(({ field, message }) => `${field} ${message}`).join("; ") || detail || title);
    Object.assign(this, { name: "Problem", type, title, detail, status, errors });
  }
}

export const sessionEnded = () => new Problem({
  type: "/problems/session-ended",
  title: "The session ended before the answer came",
});

const wrongAddress = (url, what, members) => new Problem({
  title: `${url} ${what}: give io() the server's address, and check CORS_ORIGIN`,
  ...members,
});

export const unreachable = (url) => wrongAddress(url, "cannot be reached", { type: "/problems/unreachable" });

// Returns an error as a Problem. What is not a Problem already comes from the network.
export const problemOf = (error, url) => error instanceof Problem ? error : unreachable(url);

// Reports whether a refusal is the server's own. A proxy may answer with a page of its own.
export const isOurs = (response) => /problem\+json/.test(response.headers.get("Content-Type"));

// Resolves to the problem of a response that is not what was asked for.
export async function readProblem(response, url) {
  if (isOurs(response)) return new Problem(await response.json());
  const { status } = response;
  return wrongAddress(url, `answers ${status}, not as a signaling server`, { status });
}
