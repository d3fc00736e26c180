// The list of the nodes that are one server. It is hidden if a server is alone.

import { byId, part, stamp } from "../assets/page.js";
import { before, count } from "./format.js";
import { write } from "./view.js";

// A node tells its own place in the log. A proxy brings each question to another node, so what a
// node told is remembered for a while.
const REMEMBERED = 30_000;

const told = new Map(); // by the name of the node that told it
const rows = new Map(); // by the name of the node

const list = byId("node-list");
const field = (row, name) => part(row, `[data-field="${name}"]`);

// Shows the nodes as one of them sees all. The other figures are of the nodes that were reached.
export function showNodes({ time, cluster }, reached) {
  list.hidden = !cluster?.node;
  byId("foot-cluster").hidden = list.hidden;
  if (list.hidden) return;
  told.set(cluster.node, { ...cluster, time });
  for (const [name, last] of told) {
    if (time - last.time > REMEMBERED) told.delete(name);
  }
  const nodes = cluster.nodes.some(({ name }) => name === cluster.node) ? cluster.nodes : [...cluster.nodes, starting(cluster.node)];
  removeOthers(nodes);
  nodes.forEach(showNode);
  write(part(list, "[data-part=total]"), `${count(nodes.filter((node) => stateOf(node) === "serves").length)} of ${count(nodes.length)} serve`);
  showReasons(nodes);
  write(part(list, "[data-part=reached]"), `The figures of events, latency and memory are of ${reached.join(", ")}.`);
}

// A node that the log does not know yet.
const starting = (name) => ({ name, lost: false, silence: 0, streams: 0, polls: 0 });

function removeOthers(nodes) {
  const names = new Set(nodes.map(({ name }) => name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.remove();
    rows.delete(name);
  }
}

function showNode(node, i) {
  let row = rows.get(node.name);
  if (!row) {
    row = stamp("node-template");
    rows.set(node.name, row);
  }
  const table = part(list, "table", HTMLTableElement);
  if (table.tBodies[i] !== row) table.insertBefore(row, table.tBodies[i] ?? null);
  const own = told.get(node.name);
  const state = stateOf(node);
  write(field(row, "name"), node.name);
  write(field(row, "state"), state);
  field(row, "state").dataset.state = state === "serves" ? "serves" : "out";
  write(field(row, "streams"), count(node.streams));
  write(field(row, "polls"), count(node.polls));
  write(field(row, "position"), own && !node.lost ? count(own.position) : "–");
  write(field(row, "lag"), own && !node.lost ? count(own.lag) : "–");
  write(field(row, "silence"), node.silence < 2 ? "now" : before(1000 * node.silence));
}

function stateOf({ name, lost }) {
  if (lost) return "out";
  return told.get(name)?.ready === false ? "not ready" : "serves";
}

function showReasons(nodes) {
  const note = part(list, "[data-part=note]");
  const reasons = nodes.flatMap(({ name }) => told.get(name)?.reason ? [told.get(name).reason.replace("This node", name)] : []);
  note.hidden = !reasons.length;
  write(note, reasons.join(" "));
}
