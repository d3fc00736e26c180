// What the server refuses comes as a problem document (RFC 9457). Here it is an Error
// with the document's members.

export class Problem extends Error {
  constructor({ type = "about:blank", title = "", detail = "", status = 0, errors }) {
    super(errors?.map(({ field, message }) => `${field} ${message}`).join("; ") || detail || title);
    Object.assign(this, { name: "Problem", type, title, detail, status, errors });
  }
}

export const sessionEnded = () => new Problem({
  type: "/problems/session-ended",
  title: "The session ended before the answer came",
});

// The problem of a response that is none of the good ones. A proxy on the way may have
// answered with a page of its own; ours tells whether the server itself has spoken.
export async function readProblem(response) {
  const { status } = response;
  if (/problem\+json/.test(response.headers.get("Content-Type"))) {
    const problem = new Problem(await response.json());
    problem.ours = true;
    return problem;
  }
  return new Problem({ status, title: `The server, or a proxy before it, answered with status ${status}` });
}
