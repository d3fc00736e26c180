// Findings about headers that were changed on the way. Pure; see advice.js.

import { list, plural } from "./words.js";

export function adviseOnHeaders({ request, response }, address) {
  return [adviseOnRequest(request, address), adviseOnResponse(response, address)];
}

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
  const finding = (level, title, advice) => ({ id: "request-headers", level, title, text: `On the way up: ${text || "nothing was changed"}.`, advice });
  const lost = [...removed, ...changed];
  if (lost.length) {
    return finding(lost.some(({ name }) => name === "authorization") ? "bad" : "warn", "Request headers are lost on the way",
      `Ask your administrator to leave ${names(lost)} in requests to ${address} as they are, because they tell the server which client asks, and where its stream resumes.`);
  }
  if (added.length) {
    return finding("info", `${plural(added.length, "request header")} added on the way`, "Nothing to change: proxies do this to name themselves.");
  }
  return finding("good", "Request headers arrive as sent", "Nothing to change.");
}

// nginx obeys this header, and then takes it out.
const isObeyed = ({ name }) => name === "x-accel-buffering";

function adviseOnResponse(response, address) {
  const { added, removed, changed } = response;
  const text = differences(response);
  const finding = (level, title, advice) => ({ id: "response-headers", level, title, text: `On the way down: ${text || "nothing was changed"}.`, advice });
  const valueOf = (name) => added.find((field) => field.name === name)?.value;

  const lost = [...removed, ...changed];
  if (valueOf("age") > 0 || /\bhit\b/i.test(valueOf("x-cache") ?? "")) {
    return finding("bad", "Answers come from a cache", `Ask your administrator not to cache answers of ${address}, because they say Cache-Control: no-store.`);
  }
  if (valueOf("content-encoding")) {
    return finding("warn", "Answers are compressed on the way",
      `Ask your administrator to turn off compression for text/event-stream at ${address}, because compression collects events before it passes them on.`);
  }
  if (lost.some(({ name }) => name === "cache-control")) {
    return finding("warn", "Cache-Control is changed on the way",
      `Ask your administrator to leave Cache-Control of ${address} as it is, because it keeps streams out of caches and buffers.`);
  }
  if (lost.some((field) => !isObeyed(field))) {
    return finding("warn", "Response headers are changed on the way",
      `Ask your administrator to leave ${names(lost.filter((field) => !isObeyed(field)))} in answers of ${address} as they are.`);
  }
  if (lost.length) {
    return finding("info", "X-Accel-Buffering is taken out on the way", "Nothing to change if streams work: nginx takes it out after it has turned off its own buffering.");
  }
  if (added.length) {
    return finding("info", `${plural(added.length, "response header")} added on the way`, "Nothing to change: proxies do this to name themselves.");
  }
  return finding("good", "Response headers arrive as sent", "Nothing to change.");
}
