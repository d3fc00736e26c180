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
  title: "The session ended before the answer",
});

// No answer came, or the answer of another server or a proxy, with this status. Other requests may be
// answered: a proxy may let a stream through, and refuse each POST.
export const unreachable = (url, status) => new Problem({
  type: status ? undefined : "/problems/unreachable",
  title: `No signaling server answered a request to "${url}" (status ${status ?? "none"}): give io() its address, and check its CORS_ORIGIN`,
  status,
});

// Returns an error as a Problem. What is not a Problem already comes from the network.
export const problemOf = (error, url) => error instanceof Problem ? error : unreachable(url);

// Reports whether a refusal is the server's own. A proxy may answer with a page of its own.
export const isOurs = (response) => /problem\+json/.test(response.headers.get("Content-Type"));

// Resolves to the problem of a response that is not what was asked for.
export async function readProblem(response, url) {
  return isOurs(response) ? new Problem(await response.json()) : unreachable(url, response.status);
}
