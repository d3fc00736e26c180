// Findings about headers that were changed on the way. Pure; see advice.js.

import { list, plural } from "./words.js";

export function adviseOnHeaders({ stored, request, response }, address) {
  return [adviseOnRequest(stored ? NOTHING : request, address), adviseOnResponse(response, stored, address)];
}

const NOTHING = { added: [], removed: [], changed: [] }; // a stored answer tells of another request

const names = (fields) => list(fields.map(({ name }) => titled(name)));
const titled = (name) => name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());

// Lists the differences, most harmful first.
function differences({ added, removed, changed }) {
  return [
    removed.length && `${names(removed)} ${removed.length === 1 ? "was" : "were"} taken out`,
    changed.length && `${names(changed)} ${changed.length === 1 ? "was" : "were"} changed`,
    added.length && `${names(added)} ${added.length === 1 ? "was" : "were"} added`,
  ].filter(Boolean).join("; ");
}

function adviseOnRequest(request, address) {
  const { added, removed, changed } = request;
  const text = differences(request);
  const finding = (level, title, advice) => ({ id: "request-headers", level, title, text: `From this browser to the server: ${text || "nothing was changed"}.`, advice });
  const lost = [...removed, ...changed];
  if (lost.length) {
    return finding(lost.some(({ name }) => name === "authorization") ? "bad" : "warn", "Parts of requests are lost on the way",
      `Ask your administrator to leave the ${lost.length === 1 ? "header" : "headers"} ${names(lost)} in requests to ${address} unchanged. The server learns from them which client asks, and where its stream continues.`);
  }
  if (added.length) {
    return finding("info", `${plural(added.length, "header")} added to requests`, "Nothing to change: proxies name themselves in this way.");
  }
  return finding("good", "Requests arrive unchanged", "Nothing to change.");
}

// nginx obeys this header, and then takes it out.
const isObeyed = ({ name }) => name === "x-accel-buffering";

function adviseOnResponse(response, stored, address) {
  const { added, removed, changed } = response;
  const text = differences(response);
  const finding = (level, title, advice) => ({ id: "response-headers", level, title, text: `From the server to this browser: ${text || "nothing was changed"}.`, advice });
  const valueOf = (name) => added.find((field) => field.name === name)?.value;

  const lost = [...removed, ...changed];
  if (stored || valueOf("age") > 0 || /\bhit\b/i.test(valueOf("x-cache") ?? "")) {
    return finding("bad", "Answers come from a cache", `Ask your administrator not to store answers of ${address}. They say Cache-Control: no-store.`);
  }
  if (valueOf("content-encoding")) {
    return finding("warn", "Answers are compressed on the way",
      `Ask your administrator to turn off compression of text/event-stream from ${address}. Compression collects events before it passes them on.`);
  }
  if (lost.some(({ name }) => name === "cache-control")) {
    return finding("warn", "Cache-Control is changed on the way",
      `Ask your administrator to leave the header Cache-Control in answers of ${address} unchanged. It keeps streams out of caches and buffers.`);
  }
  if (lost.some((field) => !isObeyed(field))) {
    return finding("warn", "Parts of answers are changed on the way",
      `Ask your administrator to leave ${names(lost.filter((field) => !isObeyed(field)))} in answers of ${address} unchanged.`);
  }
  if (lost.length) {
    return finding("info", "X-Accel-Buffering is taken out on the way", "Nothing to change if live streams work: nginx takes this header out when it obeys it.");
  }
  if (added.length) {
    return finding("info", `${plural(added.length, "header")} added to answers`, "Nothing to change: proxies name themselves in this way.");
  }
  return finding("good", "Answers arrive unchanged", "Nothing to change.");
}
