// Finds what the oldest browsers lack: node oldest.mjs '{"chrome":"98",…}' file…
//
// It compares names with MDN's data. A name counts as too new if every interface that a page can
// get has it later. So a name of our own that such an interface happens to have is found as well:
// `fine` lists these, and what the scripts can do without.

import { readFileSync } from "node:fs";
import data from "@mdn/browser-compat-data" with { type: "json" };
import { parse } from "acorn";
import { full } from "acorn-walk";

const fine = new Map(Object.entries({
  // names of our own
  address: "a server's address", alpha: "an option of a canvas", bytes: "a number of bytes", connection: "a peer's", details: "an element's class",
  lock: "a slot", ready: "of a node", memory: "a figure", number: "a slot's", path: "a URL's", results: "of a batch or a measurement", share: "a button's action",
  stats: "a connection's", at: "Array.at is older than the table", first: "of a list",
  controller: "of a measurement", context: "of sound", enter: "a person's act", fileName: "a report's", latency: "a figure", states: "of the ways",
  ml: "in uPlot", move: "in uPlot", restore: "in uPlot", transform: "in uPlot", timestamp: "of a report", last: "of a list", range: "of a list", side: "a side of the call",
  // guarded: without them something small is missing
  errorCode: "the doctor's report", errorText: "the doctor's report", contentHint: "sharper text on a shared screen", setSinkId: "choosing a speaker",
  Segmenter: "initials of a name", segment: "initials of a name", featurePolicy: "whether a frame may use the camera", allowsFeature: "whether a frame may use the camera",
  permissions: "whether the camera is blocked", query: "whether the camera is blocked", setStreams: "a stream without tracks", sctp: "the largest message",
  maxMessageSize: "the largest message", movementX: "dragging", movementY: "dragging", getDisplayMedia: "sharing a screen", setConfiguration: "fresh ICE servers",
  srcObject: "partial only for what is not a stream", enumerateDevices: "partial only for speakers", font: "partial only for a generic family",
  // looks only
  outline: "partial only for rounded corners", selection: "the color of selected text", "accent-color": "a box's color", "text-wrap": "where lines break", "scrollbar-color": "a bar's color", "scrollbar-gutter": "room for a bar", "user-select": "the prefixed one is beside it",
  "-webkit-font-smoothing": "smoother text", "-moz-osx-font-smoothing": "smoother text", "-webkit-text-size-adjust": "a phone's text size",
  "text-size-adjust": "a phone's text size", "overflow-anchor": "scrolling", "hyphenate-limit-chars": "where words break", hyphens: "the prefixed one is older",
  "forced-color-adjust": "high contrast", "print-color-adjust": "printing", resize: "a corner to drag", "-webkit-tap-highlight-color": "a tap's color", "tap-highlight-color": "a tap's color",
  "overscroll-behavior": "scrolling past an end", "interpolate-size": "an animation",
}));

const visible = /^(Abort|Blob|Broadcast|Clipboard$|Crypto$|DOM|Document|Element|Event|FormData|HTML|Headers|History|Intersection|Keyboard|Location|Lock|Media|Mutation|Navigator$|Node|Page|Performance$|PointerEvent|PromiseRejection|RTC|Range|ReadableStream|Request|Resize|Response|Screen$|Selection|Storage|Text(De|En)coder|UIEvent|URL|Window)/;
const [oldest, ...files] = [JSON.parse(process.argv[2]), ...process.argv.slice(3)];

const number = (version) => Number.parseFloat(String(version).replace("≤", ""));
const isOld = ({ support }) => Object.entries(oldest).every(([browser, version]) =>
  [support[browser]].flat().some((each) => each && !each.flags && (!each.version_removed || each.partial_implementation) && number(each.version_added) <= number(version)));

const known = { script: new Map(), property: new Map(), selector: new Map(), rule: new Map(), value: new Map() };
function learn(kind, name, compat) {
  if (compat) known[kind].set(name, known[kind].get(name) || isOld(compat));
}
for (const [owner, members] of Object.entries(data.api)) {
  if (owner.startsWith("_") || !visible.test(owner) && /^[A-Z]/.test(owner)) continue;
  learn("script", owner, members.__compat);
  for (const [name, member] of Object.entries(members)) {
    learn("script", name.endsWith("_static") ? `${owner}.${name.slice(0, -7)}` : name.replace(/_event$/, ""), member.__compat);
  }
}
(function learnBuiltins(members) {
  for (const [name, member] of Object.entries(members)) {
    if (name === "__compat" || name === "Temporal" || name === "Iterator") continue;
    learn("script", name, member.__compat);
    learnBuiltins(member);
  }
})(data.javascript.builtins);
for (const [kind, all] of [["property", "properties"], ["selector", "selectors"], ["rule", "at-rules"]]) {
  for (const [name, { __compat }] of Object.entries(data.css[all])) learn(kind, name, __compat);
}
for (const [name, { __compat }] of Object.entries(data.css.types.color)) learn("value", name, __compat);
for (const unit of ["dvh", "dvw", "svh", "svw", "lvh", "lvw"]) learn("value", unit, data.css.types.length.viewport_percentage_units_dynamic.__compat);

function* namesOf(file, text) {
  if (file.endsWith(".css")) {
    text = text.replace(/\/\*.*?\*\//gs, "");
    for (const [, name] of text.matchAll(/[{;]\s*(-?[a-z][a-z-]*)\s*:/g)) yield ["property", name];
    for (const [, name] of text.matchAll(/:([a-z][a-z-]*)[^;}]*\{/g)) yield ["selector", name];
    for (const [, name] of text.matchAll(/@([a-z-]+)/g)) yield ["rule", name];
    for (const [, name] of text.matchAll(/([a-z-]+)\(|\d([a-z]+)/g)) yield ["value", name];
    return;
  }
  const names = [];
  full(parse(text, { ecmaVersion: "latest", sourceType: "module" }), (node) => {
    if (node.type === "Identifier") names.push(node.name);
    if (node.type !== "MemberExpression" || node.computed) return;
    const { name } = node.property;
    const ofItsOwner = `${node.object.name}.${name}`;
    names.push(known.script.has(ofItsOwner) ? ofItsOwner : name);
  });
  for (const name of names) yield ["script", name];
}

const found = new Set();
for (const file of files) {
  for (const [kind, name] of namesOf(file, readFileSync(file, "utf8"))) {
    if (known[kind].get(name) === false && !fine.has(name)) found.add(`${file}: ${kind} ${name}`);
  }
}
if (found.size) {
  console.error([...found].join("\n"));
  process.exit(1);
}
