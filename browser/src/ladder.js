// The rungs in order, best first. The rung that worked is remembered for the next visit. After
// a day the better rungs are tried again, because networks change.

import { byGet, byPoll, byPost } from "./rungs.js";

export const RUNGS = [byGet, byPost, byPoll];
export const LAST = RUNGS.length - 1;
export const NAMES = ["eventsource", "stream", "polling"];

const DAY = 24 * 60 * 60 * 1000;
const key = (url) => `signaling ${url}`;

// Storage may be forbidden or missing.
const store = (use) => {
  try {
    return globalThis.document && use(localStorage);
  } catch {
    return undefined;
  }
};

export function remembered(url) {
  if (!("body" in (globalThis.Response?.prototype ?? {}))) return LAST; // such as React Native's
  const [rung, time] = store((storage) => storage[key(url)].split(" ")) ?? [];
  return RUNGS[rung] && Date.now() - time < DAY ? +rung : 0;
}

// Keeps the time of the first visit. Otherwise a client that comes every day would never try a
// better rung.
export function remember(url, rung) {
  if (rung !== remembered(url)) store((storage) => storage[key(url)] = `${rung} ${Date.now()}`);
}
