// Makes samples from readings of the server, and keeps them in a ring.

import { bucketsOf, bucketsSince, nodeOf, quantile, sumOf, sumOfBuckets } from "./prometheus.js";

export const INTERVAL = 2000;
export const SPAN = 15 * 60 * 1000;
const CAPACITY = SPAN / INTERVAL;

// Two seconds hold too few events for a 99th percentile.
const LATENCY_SPAN = 10_000;

// Readings further apart than this have a pause between them. A rate over the pause would be the
// average of a time that nobody watched.
const LONGEST_STEP = 3 * INTERVAL;

// If several nodes are one server, a proxy brings each question to another one. So each answers now
// and then only.
const CLUSTER_SPAN = 30_000;

const isNumber = (value) => value !== null && value !== undefined;

// A meter makes a sample from each reading. It compares counters with the previous reading of the
// same node, but not after a restart of the node or a pause. It sums up what nodes count each for
// themselves.
export class Meter {
  #nodes = new Map(); // by name, what was read of each lately

  sample(reading) {
    const name = nodeOf(reading.metrics);
    const readings = this.#nodes.get(name)?.readings ?? [];
    this.#nodes.set(name, measure(readings, reading, Boolean(name)));
    const lost = reading.cluster?.nodes.filter((node) => node.lost).map((node) => node.name) ?? [];
    for (const [other, { time }] of this.#nodes) {
      if (other !== name && (!name || lost.includes(other) || reading.time - time > CLUSTER_SPAN)) this.#nodes.delete(other);
    }
    const nodes = [...this.#nodes.values()];
    return { ...gauges(reading), ...memory(nodes), ...rates(nodes), ...latencies(nodes) };
  }

  // The nodes that the samples are of, by their names.
  get nodes() {
    return [...this.#nodes.keys()].sort();
  }

  forget() {
    this.#nodes.clear();
  }
}

// Adds a reading to those of the same node, and compares it with them.
function measure(before, now, isOneOfSeveral) {
  const readings = before.length && goesOn(before[before.length - 1], now, isOneOfSeveral ? CLUSTER_SPAN : LONGEST_STEP) ? before : [];
  const last = readings.at(-1);
  const first = readings[0];
  const span = isOneOfSeveral ? CLUSTER_SPAN : LATENCY_SPAN;
  const name = "signaling_delivery_seconds";
  return {
    time: now.time,
    metrics: now.metrics,
    readings: [...readings.filter(({ time }) => now.time - time < span), now],
    rate: last && ((counter) => (sumOf(now.metrics, counter) - sumOf(last.metrics, counter)) / (now.time - last.time) * 1000),
    buckets: first && bucketsSince(bucketsOf(first.metrics, name), bucketsOf(now.metrics, name)),
  };
}

function goesOn(before, now, longestStep) {
  const counters = ["signaling_events_accepted_total", "signaling_events_delivered_total", "signaling_delivery_seconds_count"];
  return now.time - before.time <= longestStep
    && startOf(now) === startOf(before)
    && counters.every((name) => sumOf(now.metrics, name) >= sumOf(before.metrics, name));
}

// When the process started. /stats may be the answer of another node than /metrics.
const startOf = ({ metrics, stats }) => sumOf(metrics, "process_start_time_seconds") ?? stats.startTime;

// All nodes have the same sockets and rooms.
function gauges({ metrics }) {
  return {
    connections: sumOf(metrics, "signaling_sockets"),
    away: sumOf(metrics, "signaling_sockets", { state: "away" }),
    rooms: sumOf(metrics, "signaling_rooms"),
    members: sumOf(metrics, "signaling_room_members"),
  };
}

function memory(nodes) {
  const all = (name) => nodes.reduce((sum, { metrics }) => add(sum, sumOf(metrics, name)), null);
  // If the system does not report the memory of the process, this is what the Go runtime took.
  return { memory: all("process_resident_memory_bytes") ?? all("go_memstats_sys_bytes"), heap: all("go_memstats_heap_alloc_bytes") };
}

const add = (one, other) => one === null ? other : one + (other ?? 0);

function rates(nodes) {
  const compared = nodes.filter(({ rate }) => rate);
  if (!compared.length) return {};
  const all = (counter) => compared.reduce((sum, { rate }) => sum + rate(counter), 0);
  return { accepted: all("signaling_events_accepted_total"), delivered: all("signaling_events_delivered_total") };
}

function latencies(nodes) {
  const compared = nodes.filter(({ buckets }) => buckets);
  if (!compared.length) return {};
  const buckets = sumOfBuckets(compared.map(({ buckets }) => buckets));
  return { p50: quantile(0.5, buckets), p99: quantile(0.99, buckets) };
}

// A ring of samples, in columns as uPlot needs them. A value that a sample lacks is null, and a
// sample without values is a gap.
export class Samples {
  times = []; // milliseconds
  #columns = new Map();

  add(time, sample = {}) {
    for (const name of Object.keys(sample)) {
      if (!this.#columns.has(name)) this.#columns.set(name, new Array(this.times.length).fill(null));
    }
    this.times.push(time);
    for (const [name, column] of this.#columns) column.push(sample[name] ?? null);
    while (this.times.length > CAPACITY || time - this.times[0] > SPAN) {
      this.times.shift();
      for (const column of this.#columns.values()) column.shift();
    }
  }

  column(name) {
    return this.#columns.get(name) ?? new Array(this.times.length).fill(null);
  }

  latest(name) {
    return this.column(name).at(-1) ?? null;
  }

  // Returns by how much a value has changed from the earliest sample in this time to the latest, and
  // the milliseconds between the two. It is null if there are not two samples with the value.
  change(name, milliseconds) {
    const begin = this.times.at(-1) - milliseconds;
    const column = this.column(name);
    const i = this.times.findIndex((time, at) => time >= begin && isNumber(column[at]));
    const latest = this.latest(name);
    if (i < 0 || i === this.times.length - 1 || latest === null) return null;
    return { by: latest - column[i], over: this.times.at(-1) - this.times[i] };
  }

  // Returns the lowest and the highest value in this time, or null if there are none.
  extremes(name, milliseconds) {
    const begin = this.times.at(-1) - milliseconds;
    const values = this.column(name).filter((value, at) => this.times[at] >= begin && isNumber(value));
    return values.length ? [Math.min(...values), Math.max(...values)] : null;
  }
}
