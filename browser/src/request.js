// Requests to the server. The server is a Manager, which knows its address and the app's options.

import { readProblem } from "./problem.js";

export function addressOf({ uri, opts }, path, parameters = "") {
  const query = [new URLSearchParams(opts.query), parameters].join("&").replace(/^&|&$/, "");
  return uri + path + (query && `?${query}`);
}

// Asks the server with the session's token. Rejects with a Problem if the server does not answer
// well.
export async function ask({ server, token }, path, type, init, parameters = "") {
  const headers = { ...server.opts.extraHeaders, ...init.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  // The address is never the same twice: the cache of a service worker ignores all headers.
  const address = addressOf(server, path, `${parameters}_=${Math.random()}`);
  const response = await fetch(address, { cache: "no-store", ...init, headers });
  // A captive portal answers everything with 200.
  if (response.ok && response.headers.get("Content-Type")?.includes(type)) return response;
  throw await readProblem(response, server.uri);
}
