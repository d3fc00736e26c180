// The landing page: shows the health of the server, and puts its address into the samples.

import { copyText } from "./copy.js";
import { byId, server, within } from "./page.js";

const REFRESH_INTERVAL = 10_000;
const TIMEOUT = 5000;

async function readHealth(signal) {
  const response = await fetch(`${server}/health`, { headers: { "Accept": "application/json" }, signal });
  if (!response.ok) throw new Error(`/health answered ${response.status}`);
  return response.json();
}

async function refresh() {
  try {
    const health = await within(TIMEOUT, readHealth);
    show("connections", count(health.connections.active));
    show("rooms", count(health.rooms.active));
    show("total", count(health.connections.total));
    show("uptime", duration(health.uptime));
    show("version", health.version);
    state("up", `The server is up: ${health.status}`);
  } catch {
    state("down", "This page cannot reach the server. It tries again every 10 seconds.");
  }
}

const count = (value) => value.toLocaleString("en");

function duration(seconds) {
  const whole = Math.floor(seconds);
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days) return `${days}d ${hours}h`;
  if (hours) return `${hours}h ${minutes}m`;
  return `${minutes}m ${whole % 60}s`;
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

for (const address of document.querySelectorAll("[data-server]")) address.textContent = server;
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-copy]"))) {
  const { copy = "" } = button.dataset;
  button.addEventListener("click", () => copyText(byId(copy).textContent, button, byId(copy)));
}
