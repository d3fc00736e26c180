// Compares headers as they were sent with headers as they arrived. Pure.

// Headers that some version of a browser sends by itself.
const BROWSERS_OWN = new Set([
  "accept", "accept-encoding", "accept-language", "cache-control", "connection", "content-length", "cookie",
  "device-memory", "dnt", "downlink", "ect", "host", "origin", "pragma", "priority", "referer", "rtt", "save-data",
  "te", "upgrade-insecure-requests", "user-agent", "viewport-width",
]);
const isBrowsersOwn = (name) => BROWSERS_OWN.has(name) || name.startsWith("sec-");

// Headers that each hop may add to an answer, or remove from it (RFC 9110, 7.6.1).
const OF_THE_HOP = new Set(["connection", "content-length", "date", "keep-alive", "trailer", "transfer-encoding"]);

const HIDDEN = "[hidden]";

// The server shortens long values: it repeats their beginning and their end.
const CUT = "…";

function isSame(one, other) {
  return one === other || isCutOf(one, other) || isCutOf(other, one);
}

function isCutOf(short, long) {
  const [head, tail] = short.split(CUT);
  return tail !== undefined && long.length >= short.length && long.startsWith(head) && long.endsWith(tail);
}

export function compareRequest(sent, received) {
  return compare(Object.entries(sent), received.map(({ name, value }) => [name, value]), isBrowsersOwn);
}

export function compareResponse(declared, arrived) {
  return compare(declared.map(({ name, value }) => [name, value]), arrived, (name) => OF_THE_HOP.has(name));
}

// The case of names may change on the way. A header on several lines is one header with several
// values.
function collect(fields) {
  const all = new Map();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    all.set(key, all.has(key) ? `${all.get(key)}, ${value}` : value);
  }
  return all;
}

function compare(leftFields, arrivedFields, isOrdinary) {
  const left = collect(leftFields);
  const arrived = collect(arrivedFields);
  const added = [];
  const removed = [];
  const changed = [];
  for (const [name, value] of arrived) {
    if (!left.has(name)) {
      if (!isOrdinary(name)) added.push({ name, value });
    } else if (value !== HIDDEN && !isSame(value, left.get(name))) {
      changed.push({ name, from: left.get(name), to: value });
    }
  }
  for (const [name, value] of left) {
    if (!arrived.has(name)) removed.push({ name, value });
  }
  return { added, removed, changed };
}

// Finds the proxies that show themselves: by Via, or by the addresses that they add to a chain.
// There may be others, which leave no trace.
export function proxiesSeen({ request, response, forwardedFor }) {
  const valueOf = (fields, name) => fields.added.find((field) => field.name === name)?.value ?? "";
  const hops = (via) => via.split(",").map((hop) => hop.trim().split(/\s+/)[1] ?? "").filter(Boolean);
  const names = [...new Set([...hops(valueOf(request, "via")), ...hops(valueOf(response, "via"))])];
  const forwarded = valueOf(request, "forwarded");
  const count = Math.max(names.length, forwardedFor.length, forwarded ? forwarded.split(",").length : 0);
  const traces = [...request.added, ...response.added].some(({ name }) => TRACE.test(name));
  const losses = [request, response].some(({ removed, changed }) => removed.length + changed.length > 0);
  return { count: Math.max(count, traces || losses ? 1 : 0), names };
}

// Headers that proxies leave behind. The server itself does not send Server.
const TRACE = /^(via|age|server|x-cache.*|x-forwarded-.*|x-real-ip|cf-.*|x-proxy.*|x-bluecoat.*|x-squid.*|x-varnish|x-amz-cf-.*|x-served-by)$/;
