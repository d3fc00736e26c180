// Shows everything but plots and lists: the state, the facts and the tiles.

import { byId } from "../assets/page.js";
import { PLOTS } from "./plots.js";
import { clock, count, megabytes, rate, seconds } from "./format.js";

const MINUTE = 60_000;

// Assistive technology reads some texts aloud, and people may have selected them. So a text is
// written only if it differs.
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showState(name, text) {
  byId("status").dataset.state = name;
  write(byId("status-text"), text);
}

export function showOutage(since, path) {
  byId("banner").hidden = false;
  write(byId("banner-text"), `The server has not answered since ${clock(since)} (asked for ${path}). The page keeps trying, and shows what it knew before.`);
  document.body.dataset.stale = "";
}

export function endOutage() {
  byId("banner").hidden = true;
  delete document.body.dataset.stale;
}

export function showFacts({ health, stats }) {
  write(byId("fact-uptime"), stats.uptimeFormatted);
  write(byId("fact-version"), health.version);
  write(byId("fact-environment"), health.environment);
  write(byId("fact-connections"), count(stats.totalConnections));
  write(byId("fact-rooms"), count(stats.totalRooms));
}

// Each tile has a figure, a note beside it, and the change of the figure.
const TILES = {
  events: { figure: "accepted", format: rate, note: (samples) => told(samples.latest("delivered"), (value) => `accepted, ${rate(value)} delivered`, "accepted") },
  latency: { figure: "p50", format: seconds, note: (samples) => told(samples.latest("p99"), (value) => `median, 99% within ${seconds(value)}`, "no events in 10 s") },
  connections: { figure: "connections", format: count, note: (samples) => told(samples.latest("away"), (value) => value ? `${count(value)} of them away` : "none of them away", "") },
  rooms: { figure: "rooms", format: count, note: (samples) => told(samples.latest("members"), (value) => `with ${count(value)} ${value === 1 ? "member" : "members"}`, "") },
  memory: { figure: "memory", format: megabytes, note: (samples) => told(samples.latest("heap"), (value) => `${megabytes(value)} of live objects`, "") },
};

function told(value, tell, otherwise) {
  return value === null ? otherwise : tell(value);
}

export function showTiles(samples) {
  for (const [name, tile] of Object.entries(TILES)) {
    write(byId(`figure-${name}`), told(samples.latest(tile.figure), tile.format, "–"));
    write(byId(`note-${name}`), tile.note(samples));
    write(byId(`change-${name}`), changeText(samples.change(tile.figure, MINUTE), tile.format));
  }
}

function changeText(change, format) {
  if (change === null) return "";
  const time = change.over > 0.9 * MINUTE ? "a minute" : `${Math.round(change.over / 1000)} s`;
  const size = format(Math.abs(change.by));
  if (size === format(0)) return `steady for ${time}`;
  return `${change.by > 0 ? "up" : "down"} ${size} in ${time}`;
}

// Describes each plot in words, for people who do not see it.
export function showSummaries(samples, span) {
  for (const [name, plot] of Object.entries(PLOTS)) {
    const lines = plot.lines.map(({ name, label }) => {
      const extremes = samples.extremes(name, span);
      const latest = samples.latest(name);
      if (!extremes) return `${label}: nothing yet.`;
      const [lowest, highest] = extremes.map(plot.format);
      return `${label}: ${latest === null ? "nothing" : plot.format(latest)} now, from ${lowest} to ${highest}.`;
    });
    write(byId(`summary-${name}`), `In the last ${span / MINUTE} minutes. ${lines.join(" ")}`);
  }
}
