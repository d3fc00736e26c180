// Reads a text/event-stream that was opened by fetch, and yields each event's data.

export async function* readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let unread = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      unread += value;
      const frames = unread.split(/\r?\n\r?\n/);
      unread = frames.pop();
      for (const frame of frames) {
        const data = dataOf(frame);
        if (data) yield data;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it has failed already, or there is nothing left to cancel
  }
}

function dataOf(frame) {
  const line = frame.split(/\r?\n/).find((each) => each.startsWith("data:"));
  return line ? JSON.parse(line.slice("data:".length)) : null;
}

// A proxy in between may answer with a page of its own, and with any status.
export function isEventStream(response) {
  return response.ok && (response.headers.get("Content-Type") ?? "").startsWith("text/event-stream");
}
