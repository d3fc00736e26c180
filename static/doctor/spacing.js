// Tells events that came one by one from events that something on the way collected.
// Pure: arrivals are { at, serverTime }, both in milliseconds, in the order of arrival.
// The server's own times say how far apart the events were when they left, whatever
// the requests that caused them met with on their way up.

const TOGETHER = 60; // so close to each other means that they came together
const APART = 150; // and so far apart that they did not leave together

export function judgeSpacing(arrivals) {
  let lump = arrivals.length ? 1 : 0;
  let run = lump;
  for (let i = 1; i < arrivals.length; i++) {
    const cameTogether = arrivals[i].at - arrivals[i - 1].at < TOGETHER;
    const leftApart = arrivals[i].serverTime - arrivals[i - 1].serverTime > APART;
    run = cameTogether && leftApart ? run + 1 : 1;
    lump = Math.max(lump, run);
  }
  const delays = arrivals.map(({ at, serverTime }) => at - serverTime); // on two clocks: only differences mean something
  const heldFor = delays.length ? Math.max(...delays) - Math.min(...delays) : 0;
  return { lump, heldFor };
}

// Two events that come together may be chance, and a moment's delay is any network's.
export const isLumpy = ({ lump, heldFor }) => lump >= 3 && heldFor >= 400;
