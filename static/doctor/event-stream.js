// Event streams that were opened by fetch.

export { readEvents } from "../assets/event-stream.js"; // the client's own reader

// A proxy on the way may answer with a page of its own, and with any status.
export const hasStream = (response) => typeof response.body?.getReader === "function"; // not in every browser

export function isEventStream(response) {
  return response.ok && (response.headers.get("Content-Type") ?? "").startsWith("text/event-stream");
}
