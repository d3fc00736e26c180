// The only reader of event streams in JavaScript: the client bundles it, and the doctor's page
// loads it as /assets/event-stream.js.

/**
 * Reads an event stream (WHATWG HTML, 9.2.6) and yields each event's data, parsed as JSON, and
 * its id. A line ends with CRLF, LF or CR. The fields `event` and `retry` are not read: our
 * events name their type in the data.
 * @param {Response} response
 */
export async function* readEvents(response) {
  const reader = /** @type {ReadableStream} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let last = ""; // the last character before this chunk: a CRLF may be cut in two
  let unread = ""; // the beginning of a line
  let data = "";
  let id;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return; // an event that no blank line ends is dropped
    const chunk = decoder.decode(value, { stream: true });
    const lines = (unread + chunk).split(/\r\n?|\n/);
    if (last + chunk[0] === "\r\n") lines.shift();
    last = chunk.slice(-1) || last;
    unread = lines.pop() ?? "";
    for (const line of lines) {
      const [field, text = ""] = line.split(/: ?(.*)/s);
      if (field === "id") id = text;
      if (field === "data") data += `${text}\n`;
      if (line || !data.trim()) continue;
      yield { data: JSON.parse(data), id };
      data = "";
    }
  }
}
