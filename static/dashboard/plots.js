// The plots: what each shows, how they look, and the time span that they share. uPlot draws them
// (MIT, beside this file).

import { byId } from "../assets/page.js";
import { clock, count, megabytes, rate, seconds } from "./format.js";

// A classic script, which runs before all modules. It is undefined if the script could not run.
const { uPlot } = /** @type {any} */ (window);

const HEIGHT = 168;
const MEGABYTE = 2 ** 20;

// Lines with the same meaning have the same colour in all plots, such as what clients send (--up)
// and what they receive (--down). The second line of a plot is also dashed.
export const PLOTS = {
  events: {
    lines: [{ name: "accepted", label: "Accepted", color: "--up" }, { name: "delivered", label: "Delivered", color: "--down", dashed: true }],
    format: rate,
    top: 4,
  },
  latency: {
    lines: [{ name: "p50", label: "Median", color: "--down" }, { name: "p99", label: "99th percentile", color: "--up", dashed: true }],
    format: seconds,
    logarithmic: true,
    dotted: true,
  },
  connections: {
    lines: [{ name: "connections", label: "All", color: "--down" }, { name: "away", label: "Away", color: "--up", dashed: true }],
    format: count,
    top: 4,
    steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000],
  },
  rooms: {
    lines: [{ name: "rooms", label: "Rooms", color: "--direct" }, { name: "members", label: "Members", color: "--down", dashed: true }],
    format: count,
    top: 4,
    steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000],
  },
  memory: {
    lines: [{ name: "memory", label: "Process", color: "--direct" }, { name: "heap", label: "Live objects", color: "--down", dashed: true }],
    format: megabytes,
    axisFormat: (value) => `${count(Math.round(value / MEGABYTE))} MB`,
    top: 8 * MEGABYTE,
    steps: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000].map((step) => step * MEGABYTE),
  },
};

export class Plots {
  #samples;
  #span = 0; // milliseconds
  #drawn = new Map();

  constructor(samples, span) {
    this.#samples = samples;
    this.#span = span;
    try {
      if (!canDraw()) throw new Error("no canvas, or no uPlot");
      this.#build();
      this.#watchSizes();
      // A canvas keeps the colours that it was painted with.
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#build());
    } catch (failure) {
      console.info("The plots cannot be drawn:", failure.message);
      this.#drawn.clear();
      document.body.dataset.plotless = "";
      byId("no-plots").hidden = false;
    }
  }

  #watchSizes() {
    const places = Object.keys(PLOTS).map(place);
    if (!window.ResizeObserver) {
      addEventListener("resize", () => places.forEach((each) => this.#fit(each, each.clientWidth)));
      return;
    }
    const resized = new ResizeObserver((entries) => requestAnimationFrame(() => { // at once, it would change the sizes that are being reported
      for (const { target, contentRect } of entries) this.#fit(target, Math.floor(contentRect.width));
    }));
    for (const each of places) resized.observe(each);
  }

  show(span = this.#span) {
    this.#span = span;
    for (const [name, plot] of this.#drawn) plot.setData(this.#data(name));
  }

  #build() {
    const theme = readTheme();
    // Read before the plots go: a page that is short for a moment has no scroll bar, and is wider.
    const widths = Object.keys(PLOTS).map((name) => Math.floor(place(name).getBoundingClientRect().width));
    for (const [name, plot] of this.#drawn) {
      plot.destroy();
      this.#drawn.delete(name);
    }
    Object.keys(PLOTS).forEach((name, i) => {
      const options = optionsOf(PLOTS[name], theme, widths[i], () => this.#range());
      this.#drawn.set(name, new uPlot(options, this.#data(name), place(name)));
    });
  }

  #fit(target, width) {
    const plot = this.#drawn.get(target.id.replace("plot-", ""));
    if (width > 0 && plot.width !== width) plot.setSize({ width, height: HEIGHT });
  }

  #data(name) {
    const times = this.#samples.times.map((time) => time / 1000);
    return [times, ...PLOTS[name].lines.map((line) => this.#samples.column(line.name))];
  }

  // All plots have the same range, so that points above each other have the same time.
  #range() {
    const end = (this.#samples.times.at(-1) ?? Date.now()) / 1000;
    return [end - this.#span / 1000, end];
  }
}

// A browser that resists fingerprinting may have no canvas.
function canDraw() {
  try {
    return Boolean(uPlot && document.createElement("canvas").getContext("2d"));
  } catch {
    return false;
  }
}

function place(name) {
  return byId(`plot-${name}`);
}

function readTheme() {
  const style = getComputedStyle(document.documentElement);
  return (property) => style.getPropertyValue(property).trim();
}

function optionsOf(plot, theme, width, range) {
  return {
    width: width || 300,
    height: HEIGHT,
    padding: [10, 26, 0, 0], // the last time may stand at the very end, and half of its label beyond
    cursor: {
      sync: { key: "time", scales: ["x", null] },
      drag: { x: false, y: false },
      points: { size: 7 },
      y: false,
    },
    scales: { x: { time: true, range }, y: verticalScale(plot) },
    axes: [timeAxis(theme), valueAxis(plot, theme)],
    legend: { markers: { width: 2, dash: (_, i) => plot.lines[i - 1]?.dashed ? "dashed" : "solid" } },
    series: [
      { label: "", value: (_, time) => time === null ? "now" : clock(time * 1000) },
      ...plot.lines.map((line, i) => lineOf(plot, line, theme, i === 0)),
    ],
  };
}

function verticalScale(plot) {
  if (!plot.logarithmic) return { range: (_, lowest, highest) => [0, Math.max(plot.top, (highest ?? 0) * 1.12)] };
  const decade = (value, round) => 10 ** round(Math.log10(value));
  return {
    distr: 3,
    range: (_, lowest, highest) => {
      if (!(lowest > 0)) return [0.0001, 0.1];
      const bottom = decade(lowest, Math.floor);
      return [bottom, Math.max(decade(highest, Math.ceil), bottom * 100)];
    },
  };
}

function timeAxis(theme) {
  return {
    ...axis(theme),
    space: 70,
    size: 28,
    values: (_, times) => times.map((time) => clock(time * 1000).slice(0, time % 60 ? 8 : 5)),
  };
}

function valueAxis(plot, theme) {
  const format = plot.axisFormat ?? plot.format;
  return {
    ...axis(theme),
    size: 58, // the same in all plots, so that their times line up
    space: 32,
    ...(plot.steps && { incrs: plot.steps }),
    ...(plot.logarithmic && { filter: onlyDecades, grid: { ...axis(theme).grid, filter: onlyDecades } }),
    values: (_, values) => values.map((value) => value === null ? "" : format(value)),
  };
}

function onlyDecades(_, values) {
  return values.map((value) => isDecade(value) ? value : null);
}

function isDecade(value) {
  const power = Math.log10(value);
  return Math.abs(power - Math.round(power)) < 1e-6;
}

function axis(theme) {
  return {
    stroke: theme("--muted"),
    font: `12px ${theme("--sans")}`,
    grid: { stroke: theme("--line"), width: 1 },
    ticks: { show: false },
  };
}

function lineOf(plot, line, theme, isFirst) {
  const color = theme(line.color);
  return {
    label: line.label,
    stroke: color,
    width: 2,
    dash: line.dashed ? [5, 3] : [],
    fill: isFirst && !plot.logarithmic ? `${color}1f` : undefined, // colours of the palette have six digits
    points: { show: Boolean(plot.dotted), size: 4, fill: color },
    spanGaps: false,
    value: (drawn, value, i, at) => {
      const shown = at === null || at === undefined ? drawn.data[i].at(-1) : value;
      return shown === null || shown === undefined ? "–" : plot.format(shown);
    },
  };
}
