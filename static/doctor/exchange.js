// Compares one request and its answer with what the server says of both: headers, protocol,
// round trip and clocks.

import { compareRequest, compareResponse } from "./headers.js";

const SAMPLES = 4;
const TIMEOUT = 4000;

// Resolves to what was found, or to { state: "failed", status }.
export async function measureExchange() {
  // The key is new each time: an answer from a cache would repeat an older key.
  const sent = {
    "Accept": "application/json",
    "Authorization": "Bearer doctor",
    "Idempotency-Key": `doctor-${Math.random().toString(36).slice(2)}`,
    "Last-Event-ID": "doctor.0",
  };
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const samples = [];
    while (samples.length < SAMPLES) samples.push(await ask(sent, signal));
    const fastest = samples.reduce((one, other) => other.roundTrip < one.roundTrip ? other : one); // says most about the clocks
    return describe(sent, fastest);
  } catch (failure) {
    return { state: "failed", status: failure.status ?? null };
  }
}

async function ask(headers, signal) {
  const left = Date.now();
  const began = performance.now();
  const response = await fetch("/doctor.json", { headers, cache: "no-store", signal });
  const roundTrip = performance.now() - began;
  if (!response.ok) throw { status: response.status };
  return { left, roundTrip, seen: await response.json(), arrived: [...response.headers], url: response.url };
}

function describe(sent, { left, roundTrip, seen, arrived, url }) {
  const [timing] = /** @type {PerformanceResourceTiming[]} */ (performance.getEntriesByName(url)).slice(-1);
  return {
    state: "measured",
    roundTrip,
    clockDifference: Date.parse(seen.time) - (left + roundTrip / 2), // positive: the server's clock is ahead
    browserProtocol: timing?.nextHopProtocol || null,
    serverProtocol: seen.protocol,
    serverTls: seen.tls ?? null,
    pageIsSecure: window.isSecureContext,
    pageIsEncrypted: location.protocol === "https:",
    remoteAddress: seen.remoteAddress,
    forwardedFor: seen.forwardedFor,
    serverVersion: seen.version,
    heartbeatInterval: seen.heartbeatInterval,
    resumeWindow: seen.resumeWindow,
    request: compareRequest(sent, seen.requestHeaders),
    response: compareResponse(seen.responseHeaders, arrived),
  };
}
