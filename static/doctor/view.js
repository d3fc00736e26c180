// Shows the verdict, the findings and the report.

import { byId, part, stamp } from "../assets/page.js";

const LEVEL_WORDS = { good: "good", info: "note", warn: "warning", bad: "problem" };

// Assistive technology reads each change aloud, so the text is written only if it differs.
export function showVerdict({ level, text, next }) {
  byId("verdict").dataset.level = level;
  write(byId("verdict-text"), text);
  write(byId("verdict-next"), next);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Findings that need a change come first. A card stays in its place while its finding is the
// same, so that readers lose neither their place nor what they have unfolded.
const ORDER = ["bad", "warn", "info", "good"];

export function showFindings(findings, results) {
  const list = byId("findings");
  byId("findings-empty").hidden = findings.length > 0;
  const sorted = [...findings].sort(byLevel);
  const cards = /** @type {HTMLElement[]} */ ([...list.children]);
  const known = new Map(cards.map((card) => [card.dataset.key, card]));
  let place = list.firstElementChild;
  for (const finding of sorted) {
    const key = JSON.stringify(finding);
    const card = known.get(key) ?? makeCard(finding, key, results);
    if (card === place) place = place.nextElementSibling;
    else list.insertBefore(card, place);
  }
  while (place) {
    const superfluous = place;
    place = place.nextElementSibling;
    superfluous.remove();
  }
}

const byLevel = (a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level);

function makeCard({ id, level, title, text, advice }, key, { rungs, exchange }) {
  const card = stamp("finding-template");
  Object.assign(card.dataset, { id, level, key });
  part(card, "h3").textContent = title;
  part(card, ".finding-level").textContent = LEVEL_WORDS[level];
  part(card, ".finding-text").textContent = text;
  part(card, ".finding-advice").textContent = advice;
  if (rungs?.[id]?.sent.length) drawStrip(part(card, ".strip"), rungs[id]);
  if (id === "request-headers") listHeaders(part(card, "details"), exchange.request);
  if (id === "response-headers") listHeaders(part(card, "details"), exchange.response);
  return card;
}

// Both rows have the same time axis, so that lumps are visible.
function drawStrip(strip, { sent, arrivals }) {
  const times = arrivals.map(({ at }) => at);
  const end = Math.max(...sent, ...times);
  const row = (name, at) => part(strip, name).replaceChildren(...at.map((each) => {
    const dot = document.createElement("span");
    dot.style.insetInlineStart = `${(100 * each) / end}%`;
    return dot;
  }));
  row(".sent", sent);
  row(".arrived", times);
  strip.hidden = false;
}

function listHeaders(details, { added, removed, changed }) {
  const rows = [
    ...added.map(({ name, value }) => [`added: ${name}`, value]),
    ...removed.map(({ name, value }) => [`taken out: ${name}`, value]),
    ...changed.map(({ name, from, to }) => [`changed: ${name}`, `${from} → ${to}`]),
  ];
  details.hidden = rows.length === 0;
  part(details, "dl").replaceChildren(...rows.flatMap(([term, description]) => {
    const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
    [dt.textContent, dd.textContent] = [term, description];
    return [dt, dd];
  }));
}

export function showReport(text) {
  byId("report-text").textContent = text;
}

export function allowReport(allowed) {
  for (const id of ["save-text", "save-json", "copy-report", "again"]) byId(id, HTMLButtonElement).disabled = !allowed;
}
