// Makes samples from readings of the server, and keeps them in a ring.

import { bucketsOf, bucketsSince, quantile, sumOf } from "./prometheus.js";

export const INTERVAL = 2000;
export const SPAN = 15 * 60 * 1000;
const CAPACITY = SPAN / INTERVAL;

// Two seconds hold too few events for a 99th percentile.
const LATENCY_SPAN = 10_000;

// Readings further apart than this have a pause between them. A rate over the pause would be the
// average of a time that nobody watched.
const LONGEST_STEP = 3 * INTERVAL;

const isNumber = (value) => value !== null && value !== undefined;

// A meter makes a sample from each reading. It compares counters with the previous reading, but
// not after a restart of the server or a pause.
export class Meter {
  #readings = []; // the latest, as far back as the latency reaches

  sample(reading) {
    const before = this.#readings.at(-1);
    if (before && !goesOn(before, reading)) this.#readings = [];
    const last = this.#readings.at(-1);
    const first = this.#readings[0];
    this.#readings = [...this.#readings.filter(({ time }) => reading.time - time < LATENCY_SPAN), reading];
    return { ...gauges(reading), ...rates(last, reading), ...latencies(first, reading) };
  }

  forget() {
    this.#readings = [];
  }
}

function goesOn(before, now) {
  const counters = ["signaling_events_accepted_total", "signaling_events_delivered_total", "signaling_delivery_seconds_count"];
  return now.time - before.time <= LONGEST_STEP
    && now.stats.startTime === before.stats.startTime
    && counters.every((name) => sumOf(now.metrics, name) >= sumOf(before.metrics, name));
}

function gauges({ metrics }) {
  const heap = sumOf(metrics, "go_memstats_heap_alloc_bytes");
  return {
    connections: sumOf(metrics, "signaling_sockets"),
    away: sumOf(metrics, "signaling_sockets", { state: "away" }),
    rooms: sumOf(metrics, "signaling_rooms"),
    members: sumOf(metrics, "signaling_room_members"),
    // If the system does not report the memory of the process, this is what the Go runtime took.
    memory: sumOf(metrics, "process_resident_memory_bytes") ?? sumOf(metrics, "go_memstats_sys_bytes"),
    heap,
  };
}

function rates(before, now) {
  if (!before) return {};
  const seconds = (now.time - before.time) / 1000;
  const rate = (name) => (sumOf(now.metrics, name) - sumOf(before.metrics, name)) / seconds;
  return { accepted: rate("signaling_events_accepted_total"), delivered: rate("signaling_events_delivered_total") };
}

function latencies(before, now) {
  if (!before) return {};
  const name = "signaling_delivery_seconds";
  const buckets = bucketsSince(bucketsOf(before.metrics, name), bucketsOf(now.metrics, name));
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
