// Requests to the server. The server is a Manager, which knows its address and the app's options.

import { readProblem } from "./problem.js";

export function addressOf({ uri, opts }, path, parameters = "") {
  const query = [new URLSearchParams(opts.query), parameters].join("&").replace(/^&|&$/, "");
  return uri + path + (query && `?${query}`);
}

// The client's own headers take the place of the app's, whatever their case. An empty header is left
// out.
export function headersOf({ opts }, token, own) {
  const headers = new Headers(opts.extraHeaders);
  const all = { ...own, Authorization: token && `Bearer ${token}` };
  for (const name in all) all[name] && headers.set(name, all[name]);
  return headers;
}

// Asks the server with the session's token. Rejects with a Problem if the server does not answer
// well.
export async function ask({ server, token }, path, type, init, parameters = "") {
  // The address is never the same twice: the cache of a service worker ignores all headers.
  const address = addressOf(server, path, `${parameters}_=${Math.random()}`);
  const response = await fetch(address, { cache: "no-store", ...init, headers: headersOf(server, token, init.headers) });
  // A captive portal answers everything with 200.
  if (response.ok && response.headers.get("Content-Type")?.includes(type)) return response;
  throw await readProblem(response, server.uri);
}
