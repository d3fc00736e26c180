// The server refuses with a problem document (RFC 9457). Here the problem is an Error that has
// the document's members.

export class Problem extends Error {
  /** @param {{ type?: string, title?: string, detail?: string, status?: number, errors?: { field: string, message: string }[], retryAfter?: number }} document */
  constructor(document) {
    const all = { name: "Problem", type: "about:blank", title: "", detail: "", status: 0, ...document };
    super(all.errors?.map(({ field, message }) => `${field} ${message}`).join("; ") || all.detail || all.title);
    Object.assign(this, all);
  }
}

export const sessionEnded = () => new Problem({
  type: "/problems/session-ended",
  title: "The session ended before the answer",
});

// No answer came, or the answer of another server or a proxy, with this status. Other requests may be
// answered: a proxy may let a stream through, and refuse each POST.
export const unreachable = (url, status = 0) => new Problem({
  type: status ? "about:blank" : "/problems/unreachable",
  title: `No signaling server answered a request to "${url}" (status ${status || "none"}): give io() its address, and check its CORS_ORIGIN`,
  status,
});

// Returns an error as a Problem. What is not a Problem already comes from the network.
export const problemOf = (error, url) => error instanceof Problem ? error : unreachable(url);

// Resolves to the problem of a response that is not what was asked for. A proxy may answer with a page
// of its own, and does not know when the server is back.
export async function readProblem(response, url) {
  const { status, headers } = response;
  if (!/problem\+json/.test(headers.get("Content-Type"))) return unreachable(url, status);
  return new Problem({ ...await response.json(), retryAfter: headers.get("Retry-After") * 1000 });
}
