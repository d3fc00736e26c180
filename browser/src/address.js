// Reads the address of the server as socket.io-client does.

// Without an address it is the page's own server. Some platforms have no location, and some throw.
const page = () => {
  try {
    return globalThis.location;
  } catch {
    return undefined;
  }
};

// Not every platform has a complete URL, so this function does without. In Socket.IO the path is a
// namespace; here it is the path of a proxy. Returns undefined if the text is not an address.
export function readAddress(address, path) {
  const [, scheme, server, folder] = /** @type {string[]} */ (/^(?:(\w+:)?\/\/)?(?:[^/?#]*@)?([^/?#]*)([^?#]*)/.exec(`${address ?? ""}`.trim()));
  const { protocol, host = "" } = page() ?? {};
  const [, secure] = /^(?:http|ws)(s?):$/i.exec(scheme ?? protocol) ?? [0, scheme ? null : ""];
  const base = path && !/socket\.io/.test(path) ? path : folder; // pages of before may name the path of Socket.IO
  const name = server || host;
  if (name && secure !== null) return `http${secure && "s"}://${name}${`/${base}/`.replace(/\/+/g, "/")}`;
}
