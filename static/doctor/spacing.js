// Distinguishes events that came one by one from events that a proxy collected. Pure: arrivals are
// { at, serverTime }, both in milliseconds, in the order of arrival. The server's times say how far
// apart the events left. So it does not matter what delayed their requests on the way up.

const TOGETHER = 100; // ms; events that are closer arrived together
const COMPRESSED = 400; // ms; events that arrived together are a lump if sending them took this much longer than their arrival

// Returns the size of the largest lump (1 if there is none), how many events are in lumps, and how
// much longer the slowest event took than the fastest.
export function judgeSpacing(arrivals) {
  const lumps = clusters(arrivals).filter((cluster) => span(cluster, "serverTime") - span(cluster, "at") >= COMPRESSED);
  const sizes = lumps.map(({ length }) => length);
  const delays = arrivals.map(({ at, serverTime }) => at - serverTime); // of two clocks: only differences have a meaning
  return {
    lump: Math.max(Math.min(arrivals.length, 1), ...sizes),
    inLumps: sizes.reduce((sum, size) => sum + size, 0),
    heldFor: delays.length ? Math.max(...delays) - Math.min(...delays) : 0,
  };
}

// A lost packet may cause one lump. A proxy that collects events makes one lump after the other.
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
