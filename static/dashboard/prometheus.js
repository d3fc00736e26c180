// Reads Prometheus' text format, as far as this server writes it.

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { n: "\n", "\\": "\\", "\"": "\"" };

// Returns the series of each name, with their labels and values.
export function parseMetrics(text) {
  const families = new Map();
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = line.startsWith("#") ? [] : line.match(LINE) ?? [];
    if (!name) continue;
    if (!families.has(name)) families.set(name, []);
    families.get(name).push({ labels: parseLabels(labels), value: parseValue(value) });
  }
  return families;
}

function parseLabels(text) {
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) =>
    [name, value.replace(/\\(.)/g, (whole, letter) => ESCAPED[letter] ?? whole)]));
}

function parseValue(text) {
  return Number(text.replace("Inf", "Infinity"));
}

// Returns the sum of the series of a name that have these labels, or null if there are none.
export function sumOf(families, name, labels = {}) {
  const wanted = Object.entries(labels);
  const series = (families.get(name) ?? []).filter((each) => wanted.every(([label, value]) => each.labels[label] === value));
  return series.length ? series.reduce((sum, each) => sum + each.value, 0) : null;
}

// Returns the name of the node that has answered, or "" if the server is alone.
export function nodeOf(families) {
  return families.get("signaling_cluster_node_info")?.[0].labels.node ?? "";
}

// Returns the cumulative buckets of a histogram in ascending order: [upper bound, count].
export function bucketsOf(families, name) {
  return (families.get(`${name}_bucket`) ?? [])
    .map(({ labels, value }) => [parseValue(labels.le), value])
    .sort(([one], [other]) => one - other);
}

// Returns what each bucket has gained since an earlier reading. It is cumulative too.
export function bucketsSince(before, now) {
  return now.map(([bound, count], i) => [bound, count - (before[i]?.[1] ?? 0)]);
}

// Returns the sum of histograms with the same buckets, or an empty one if there are none.
export function sumOfBuckets(histograms) {
  const [first = [], ...others] = histograms;
  return first.map(([bound, count], i) => [bound, others.reduce((sum, other) => sum + (other[i]?.[1] ?? 0), count)]);
}

// Returns a quantile of a histogram, as Prometheus' histogram_quantile does: values are spread
// evenly within a bucket. It is null if the histogram is empty.
export function quantile(share, buckets) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  const i = buckets.findIndex(([, count]) => count >= rank);
  const [lower, below] = i > 0 ? buckets[i - 1] : [0, 0];
  const [upper, count] = buckets[i];
  if (upper === Infinity) return lower;
  return count === below ? upper : lower + (upper - lower) * (rank - below) / (count - below);
}
