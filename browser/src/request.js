// Requests to the server. The server is a Manager, which knows its address and the app's options.

import { readProblem, unreachable } from "./problem.js";

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
  const response = await fetch(addressOf(server, path, `${parameters}_=${Math.random()}`), {
    cache: "no-store", ...init, headers: headersOf(server, token, init.headers),
  });
  // A captive portal answers everything with 200.
  if (response.ok && response.headers.get("Content-Type")?.includes(type)) return response;
  // A path that the server does not have may be meant as a namespace.
  throw response.status === 404 ? unreachable(server.uri, 404) : await readProblem(response, server.uri);
}
