// The landing page: shows the health of the server, and puts its address into the samples.

import { copyText } from "./copy.js";
import { byId } from "./page.js";

const REFRESH_INTERVAL = 10_000;
const TIMEOUT = 5000;

const number = new Intl.NumberFormat("en");

async function read(path) {
  const response = await fetch(path, {
    headers: { "Accept": "application/json" },
    signal: AbortSignal.timeout(TIMEOUT),
  });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function refresh() {
  try {
    const health = await read("/health");
    show("connections", number.format(health.connections.active));
    show("rooms", number.format(health.rooms.active));
    show("total", number.format(health.connections.total));
    show("uptime", duration(health.uptime));
    show("version", health.version);
    state("up", `The server is up: ${health.status}`);
  } catch {
    state("down", "The server does not answer. Trying again.");
  }
}

function duration(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 3600)}h ${Math.floor(whole / 60) % 60}m ${whole % 60}s`;
}

function show(figure, text) {
  byId(`figure-${figure}`).textContent = text ?? "–";
}

// Assistive technology reads each change aloud, so the text is written only if it differs.
function state(name, text) {
  byId("live-dot").dataset.state = name;
  if (byId("live-text").textContent !== text) byId("live-text").textContent = text;
}

// A hidden tab asks nothing.
setInterval(() => {
  if (!document.hidden) refresh();
}, REFRESH_INTERVAL);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
refresh();

for (const origin of document.querySelectorAll("[data-origin]")) origin.textContent = location.origin;
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-copy]"))) {
  const { copy = "" } = button.dataset;
  button.addEventListener("click", () => copyText(byId(copy).textContent, button));
}
