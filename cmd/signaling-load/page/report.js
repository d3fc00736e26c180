"use strict";

// Draws the plots of the report: samples over time, and latency by percentile.

const samples = result.samples ?? [];
const times = samples.map((each) => each.at);
const theme = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const rounded = (value) => value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(2)));
const inUnits = (unit) => (value) => value == null ? "" : `${rounded(value)}${unit}`;
const column = (of) => samples.map((each) => of(each) || null);
const counted = (of) => samples.map((each) => of(each) ?? 0);

// A second without events has no latency. A line needs three samples above 0.
const plots = {
  latency: { unit: " ms", logarithmic: true, lines: [
    ["Median", "--down", column((s) => s.latencyMilliseconds.p50)],
    ["99 %", "--up", column((s) => s.latencyMilliseconds.p99)],
    ["99.9 %", "--danger", column((s) => s.latencyMilliseconds["p99.9"])],
  ] },
  events: { unit: "/s", lines: [
    ["Delivered", "--down", counted((s) => s.eventsPerSecond)],
    ["Refused", "--danger", counted((s) => s.refusedPerSecond)],
  ] },
  joins: { unit: "/s", lines: [
    ["Connects", "--up", counted((s) => s.connectsPerSecond)],
    ["Joins", "--down", counted((s) => s.joinsPerSecond)],
  ] },
  cores: { unit: "", lines: [
    ["Server", "--down", counted((s) => s.serverCores)],
    ["Generator", "--up", counted((s) => s.generatorCores)],
  ] },
  memory: { unit: " MiB", lines: [["Resident", "--direct", column((s) => s.serverMiB)]] },
};

// The axis of percentiles has a step for each nine: 90 %, 99 %, 99.9 % …
const curve = (result.sending?.curve ?? []).filter((each) => each.percent < 100);
const nines = (percent) => -Math.log10(1 - percent / 100);
const percent = (x) => x == null ? "" : `${Number((100 - 100 * 10 ** -x).toFixed(4))} %`;
plots.curve = {
  unit: " ms", logarithmic: true, lines: [["Latency", "--down", curve.map((each) => each.milliseconds || null)]],
  xs: curve.map((each) => nines(each.percent)), axis: { space: 60, incrs: [1] }, format: percent,
};

function drawAll() {
  for (const old of document.querySelectorAll(".uplot")) old.remove();
  for (const [id, plot] of Object.entries(plots)) {
    plot.used = plot.lines.filter(([, , values]) => values.filter((value) => value > 0).length > 2);
    document.getElementById(id).hidden = plot.used.length === 0;
  }
  for (const [id, plot] of Object.entries(plots)) { // now that the places have their widths
    if (plot.used.length > 0) draw(document.getElementById(id), plot);
  }
}

function draw(place, { unit, used, logarithmic, xs = times, axis = {}, format = (at) => at == null ? "" : `${Number(at.toFixed(1))} s` }) {
  const look = { stroke: theme("--muted"), font: `12px ${theme("--sans")}`, grid: { stroke: theme("--line"), width: 1 }, ticks: { show: false } };
  const inner = getComputedStyle(place);
  const value = inUnits(unit);
  new uPlot({
    width: place.clientWidth - parseFloat(inner.paddingLeft) - parseFloat(inner.paddingRight),
    height: place.classList.contains("wide") ? 240 : 190,
    padding: [10, 28, 0, 0],
    cursor: { drag: { x: false, y: false }, y: false, points: { size: 7 } },
    legend: { markers: { width: 2 } },
    scales: { x: { time: false }, y: logarithmic ? { distr: 3, range: decades } : { range: (_, lowest, highest) => [0, (highest || 1) * 1.1] } },
    axes: [
      { ...look, size: 28, space: 70, values: (_, all) => all.map(format), ...axis },
      {
        ...look, size: 68, space: 32, values: (_, all) => all.map(value),
        ...(logarithmic && { filter: onlyDecades, grid: { ...look.grid, filter: onlyDecades } }),
      },
    ],
    series: [{ label: "", value: (_, x) => format(x) }, ...used.map(([label, color]) => ({
      label, stroke: theme(color), width: 2, points: { show: false }, value: (_, y) => value(y),
    }))],
  }, [xs, ...used.map(([, , values]) => values)], place);
}

const isDecade = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
const onlyDecades = (_, values) => values.map((value) => isDecade(value) ? value : null);
const decades = (_, lowest, highest) => [10 ** Math.floor(Math.log10(lowest || 0.1)), 10 ** Math.ceil(Math.log10((highest || 1) * 1.01))];

drawAll();
addEventListener("resize", () => requestAnimationFrame(drawAll));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
