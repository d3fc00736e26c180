/*! The browser client of signaling-server */

import { Socket } from "./socket.js";

export { Problem } from "./problem.js";
export { Socket };

const DEFAULTS = { reconnection: true, reconnectionAttempts: Infinity, reconnectionDelay: 1000, reconnectionDelayMax: 15_000 };

// io(url?, options?): without an address it connects to the page's own server.
export function io(url, options) {
  if (typeof url === "object" && !url.href) [url, options] = [undefined, url];
  const settings = { ...DEFAULTS, ...options };
  if (!settings.reconnection) settings.reconnectionAttempts = 0;
  const address = new URL(url ?? "/", globalThis.location?.href);
  address.search = address.hash = "";
  return new Socket(address.href.replace(/\/?$/, "/"), settings);
}

export { io as connect, io as default };
