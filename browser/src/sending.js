// What a data channel takes. A channel throws if it does not take the data. Beyond its limits
// browsers differ: some close the channel.

const MOST_WAITING = 16 << 20; // bytes; Chromium keeps no more
const DEFAULT_MAXIMUM = 65_536; // bytes of a message, if the other side names no limit (RFC 8841, 6.1)

const isBuffer = (data) => ArrayBuffer.isView(data) || Object.prototype.toString.call(data) === "[object ArrayBuffer]";

function bytesOf(data) {
  if (isBuffer(data)) return data.byteLength;
  if (globalThis.Blob && data instanceof Blob) return data.size;
  if (data != null && typeof data !== "object" && typeof data !== "function") return new TextEncoder().encode(String(data)).length;
  return undefined;
}

/**
 * Returns the error that says why a channel cannot take the data now, and what to do.
 * @param {number} waiting bytes that the channel has not sent yet
 * @param {number} [maximum] bytes of the largest message
 */
export function refusalOf(data, waiting, maximum = DEFAULT_MAXIMUM) {
  const bytes = bytesOf(data);
  if (bytes === undefined) return new TypeError("A data channel takes text or binary data: send JSON.stringify(data).");
  if (bytes > maximum) {
    return new TypeError(`The data has ${bytes} bytes, and this connection takes ${maximum} at most: send it in parts.`);
  }
  if (waiting + bytes > MOST_WAITING) {
    return new DOMException(`${waiting} bytes wait for a slow receiver: send more after "drain".`, "OperationError");
  }
}
