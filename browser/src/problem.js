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

export const unreachable = () => new Problem({
  type: "/problems/unreachable",
  title: "The server could not be reached",
});

// Reports whether a refusal is the server's own. A proxy may answer with a page of its own.
export const isOurs = (response) => /problem\+json/.test(response.headers.get("Content-Type"));

// Resolves to the problem of a response that is not a success.
export async function readProblem(response) {
  if (isOurs(response)) return new Problem(await response.json());
  const { status } = response;
  return new Problem({ status, title: `The server or a proxy answered with status ${status}` });
}
