// Tells events that came one by one from events that something on the way collected.
// Pure: arrivals are { at, serverTime }, both in milliseconds, in the order of arrival.
// The server's own times say how far apart the events were when they left, whatever
// the requests that caused them met with on their way up.

const TOGETHER = 100; // closer than this, one comes with the other
const COMPRESSED = 400; // a lump spans so much less time than its events did when they left

// Answers how many events the largest lump has (1 where there is none), how many are in
// any, and how much longer the slowest was on its way than the fastest.
export function judgeSpacing(arrivals) {
  const lumps = clusters(arrivals).filter((cluster) => span(cluster, "serverTime") - span(cluster, "at") >= COMPRESSED);
  const sizes = lumps.map(({ length }) => length);
  const delays = arrivals.map(({ at, serverTime }) => at - serverTime); // on two clocks: only differences mean something
  return {
    lump: Math.max(Math.min(arrivals.length, 1), ...sizes),
    inLumps: sizes.reduce((sum, size) => sum + size, 0),
    heldFor: delays.length ? Math.max(...delays) - Math.min(...delays) : 0,
  };
}

// One lump may be a lost packet's doing; a proxy that collects makes one after the other.
export const isLumpy = ({ inLumps }, count) => inLumps > 0 && inLumps >= count / 2;

function clusters(arrivals) {
  const all = [];
  for (const arrival of arrivals) {
    const last = all.at(-1);
    if (last && arrival.at - last.at(-1).at < TOGETHER) last.push(arrival);
    else all.push([arrival]);
  }
  return all;
}

const span = (cluster, time) => cluster.at(-1)[time] - cluster[0][time];
