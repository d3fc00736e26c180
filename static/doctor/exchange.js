// Compares one request and its answer with what the server says of both: headers, protocol,
// round trip and clocks.

import { server, within } from "../assets/page.js";
import { compareRequest, compareResponse } from "./headers.js";

const SAMPLES = 4;
const TIMEOUT = 4000;
const KEY = "doctor-";

// Resolves to what was found, or to { state: "failed", status, isForeign }. An answer in another form
// is foreign: it is not the server's.
export async function measureExchange() {
  try {
    const samples = await within(TIMEOUT, takeSamples);
    const stored = samples.find(isStored);
    const fastest = samples.reduce((one, other) => other.roundTrip < one.roundTrip ? other : one); // says most about the clocks
    return describe(stored ?? fastest);
  } catch (failure) {
    return { state: "failed", status: failure.status ?? null, isForeign: failure instanceof SyntaxError };
  }
}

async function takeSamples(signal) {
  const samples = [];
  while (samples.length < SAMPLES) samples.push(await ask(signal));
  return samples;
}

async function ask(signal) {
  const headers = {
    "Accept": "application/json",
    "Authorization": "Bearer doctor",
    "Idempotency-Key": KEY + Math.random().toString(36).slice(2), // of this request only
    "Last-Event-ID": "doctor.0",
  };
  const left = Date.now();
  const began = performance.now();
  const response = await fetch(`${server}/doctor.json`, { headers, cache: "no-store", signal });
  const roundTrip = performance.now() - began;
  if (!response.ok) throw Object.assign(new Error("The server refused the test request."), { status: response.status });
  const seen = await response.json();
  if (!Array.isArray(seen?.requestHeaders)) throw new SyntaxError("This answer is not the server's.");
  return { headers, left, roundTrip, seen, arrived: [...response.headers], url: response.url };
}

// An answer from a store repeats the key of an older request.
function isStored({ headers, seen }) {
  const key = seen.requestHeaders.find(({ name }) => name.toLowerCase() === "idempotency-key")?.value;
  return Boolean(key?.startsWith(KEY)) && key !== headers["Idempotency-Key"];
}

function describe(sample) {
  const { headers, left, roundTrip, seen, arrived, url } = sample;
  const timings = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByName?.(url) ?? []);
  return {
    state: "measured",
    stored: isStored(sample),
    roundTrip,
    clockDifference: Date.parse(seen.time) - (left + roundTrip / 2), // positive: the server's clock is ahead
    browserProtocol: timings.at(-1)?.nextHopProtocol || null,
    serverProtocol: seen.protocol,
    serverTls: seen.tls ?? null,
    pageIsSecure: window.isSecureContext,
    pageIsEncrypted: location.protocol === "https:",
    remoteAddress: seen.remoteAddress,
    forwardedFor: seen.forwardedFor,
    serverVersion: seen.version,
    heartbeatInterval: seen.heartbeatInterval,
    resumeWindow: seen.resumeWindow,
    request: compareRequest(headers, seen.requestHeaders),
    response: compareResponse(seen.responseHeaders, arrived),
  };
}
