// Which transceiver sends which track. A transceiver that is not needed any more waits for the
// next track of its kind, so a description never grows beyond what was sent at one time.

const sent = new WeakMap(); // by transceiver; sender.track follows later, because replaceTrack takes time
const groups = new WeakMap(); // by connection: the stream that the other side sees

const usable = (connection) => connection.getTransceivers().filter(({ direction }) => direction !== "stopped");

// Returns the tracks of a stream that no transceiver sends yet.
function unsent(connection, stream) {
  const sending = usable(connection).map((transceiver) => sent.get(transceiver));
  return (stream?.getTracks() ?? []).filter((track) => !sending.includes(track));
}

/**
 * Sends the tracks of a stream, and no others, by the transceivers that there are. Returns the
 * tracks that need a new transceiver.
 * @param {RTCPeerConnection} connection
 * @param {MediaStream | null} stream
 * @param {(error: Error) => void} fail is called if a track cannot be sent
 */
export function assign(connection, stream, fail) {
  const tracks = stream?.getTracks() ?? [];
  const all = usable(connection);
  // Clients of version 1.0.0 show a stream only if its ID is new.
  if (!all.some((transceiver) => sent.get(transceiver))) groups.set(connection, new MediaStream());
  const spare = all.filter((transceiver) => !tracks.includes(sent.get(transceiver)))
    .sort((a, b) => Number(!sent.get(a)) - Number(!sent.get(b))); // those that send something first

  const rest = unsent(connection, stream).filter((track) => {
    const index = spare.findIndex(({ receiver }) => receiver.track.kind === track.kind);
    if (index >= 0) put(spare.splice(index, 1)[0], track, groups.get(connection), fail);
    return index < 0;
  });
  for (const transceiver of spare) if (sent.get(transceiver)) put(transceiver, null, null, fail);
  return rest;
}

/**
 * Makes a transceiver for a track. Unlike addTrack, addTransceiver makes one that no offer of the
 * other side takes. After a rollback, Chromium would leave a transceiver muted that was taken.
 * @param {RTCPeerConnection} connection
 * @param {MediaStreamTrack} track
 */
export function add(connection, track) {
  sent.set(connection.addTransceiver(track, { streams: [groups.get(connection)] }), track);
}

function put(transceiver, track, group, fail) {
  // Another stream would need an offer, so a track that replaces another stays in its stream.
  if (track && !sent.get(transceiver)) transceiver.sender.setStreams?.(group);
  sent.set(transceiver, track);
  transceiver.direction = track ? "sendrecv" : "recvonly";
  transceiver.sender.replaceTrack(track).catch(fail);
}
