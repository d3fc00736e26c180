// Measures WebRTC: at which addresses peers may reach this browser, and whether two peers can
// connect at all.

const GATHERING_WITHIN = 5000;
const CONNECTING_WITHIN = 5000;

export async function measureWebRTC(iceServers) {
  if (!canConnect()) return { state: "unsupported" };
  const [gathering, pair] = await Promise.all([gather(iceServers).catch(failed), connectPair()]);
  return { state: "measured", ...namesOf(iceServers), ...gathering, pair };
}

// A policy or an extension may leave the constructor, and let it throw.
function canConnect() {
  try {
    new RTCPeerConnection().close();
    return true;
  } catch {
    return false;
  }
}

const failed = (failure) => ({ candidates: null, errors: [], failure: failure.message || failure.name });

// Counts the servers of each kind. Their credentials must not get into the report.
function namesOf(iceServers) {
  const urls = iceServers.flatMap((server) => server.urls ?? []);
  return {
    stun: urls.filter((url) => /^stuns?:/.test(url)).length,
    turn: urls.filter((url) => /^turns?:/.test(url)).length,
  };
}

async function gather(iceServers) {
  const connection = new RTCPeerConnection({ iceServers });
  const candidates = { host: 0, srflx: 0, relay: 0 };
  const errors = [];
  try {
    connection.createDataChannel("doctor");
    /** @type {Promise<void>} */
    const complete = new Promise((resolve) => {
      connection.addEventListener("icecandidate", ({ candidate }) => {
        if (!candidate) return resolve();
        const kind = / typ (\w+)/.exec(candidate.candidate)?.[1] ?? "";
        if (kind in candidates) candidates[kind]++;
      });
      connection.addEventListener("icecandidateerror", ({ url, errorCode, errorText }) => errors.push({ url, errorCode, errorText }));
      setTimeout(resolve, GATHERING_WITHIN);
    });
    await connection.setLocalDescription();
    await complete;
  } finally {
    connection.close();
  }
  return { candidates, errors };
}

// Gives the offer or answer of one connection to the other.
async function describe(one, other) {
  await one.setLocalDescription();
  await other.setRemoteDescription(one.localDescription);
}

// Connects two peers in this page, which give each other their candidates directly.
async function connectPair() {
  const began = performance.now();
  const connections = [];
  try {
    connections.push(new RTCPeerConnection());
    connections.push(new RTCPeerConnection()); // a browser may refuse one more
    const [a, b] = connections;
    for (const [from, to] of [[a, b], [b, a]]) {
      from.addEventListener("icecandidate", ({ candidate }) => {
        to.addIceCandidate(candidate).catch(() => {}); // fails if the connection was closed meanwhile
      });
    }
    const channel = a.createDataChannel("doctor");
    const open = new Promise((resolve, reject) => {
      channel.addEventListener("open", resolve);
      setTimeout(() => reject(new Error("timed out")), CONNECTING_WITHIN);
    });
    open.catch(() => {}); // reported below, unless something else fails before
    await describe(a, b);
    await describe(b, a);
    await open;
    return { connected: true, after: performance.now() - began };
  } catch {
    return { connected: false, after: null };
  } finally {
    for (const connection of connections) connection.close();
  }
}
