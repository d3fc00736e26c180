// Measures who speaks.

const EVERY = 200; // ms
const LOUD = 0.02; // of 1, the loudest; rooms and fans are below
const PAUSE = 800; // ms of silence between two words

/**
 * Reports each change of who speaks, by socket ID; this page itself is "self".
 * @param {import("./call.js").Call} call
 * @param {(id: string, speaking: boolean) => void} report
 */
export function watchSpeakers(call, report) {
  const heard = new Map(); // when each speaker was loud last
  const judge = (id, level) => {
    if (level > LOUD) {
      if (!heard.has(id)) report(id, true);
      heard.set(id, performance.now());
    } else if (heard.has(id) && performance.now() - heard.get(id) > PAUSE) {
      heard.delete(id);
      report(id, false);
    }
  };
  setInterval(async () => {
    judge("self", call.active ? ownLevel(call.own.microphone) : 0);
    const known = new Set(["self", ...call.peers.keys()]);
    for (const id of heard.keys()) if (!known.has(id)) heard.delete(id);
    for (const [id, peer] of call.peers) judge(id, await levelOf(peer.connection));
  }, EVERY);
}

// Returns how loud a peer was since the last look. A look at one moment only would miss a short
// sound.
async function levelOf(connection) {
  try {
    const levels = connection.getReceivers().filter(({ track }) => track.kind === "audio").map(levelSince);
    return Math.max(0, ...await Promise.all(levels));
  } catch {
    return 0;
  }
}

const looks = new WeakMap(); // what each receiver had counted at the last look

async function levelSince(receiver) {
  for (const report of (await receiver.getStats()).values()) {
    if (report.type !== "inbound-rtp") continue;
    const { totalAudioEnergy: energy, totalSamplesDuration: duration, audioLevel = 0 } = report;
    if (energy === undefined) return audioLevel; // not every browser counts the energy
    const last = looks.get(receiver) ?? { energy: 0, duration: 0 };
    looks.set(receiver, { energy, duration });
    return duration > last.duration ? Math.sqrt((energy - last.energy) / (duration - last.duration)) : 0;
  }
  return 0;
}

// The analyser of the own microphone, and the track that it listens to.
/** @type {{ track: MediaStreamTrack | null, context: AudioContext | null, analyser: AnalyserNode | null }} */
let listening = { track: null, context: null, analyser: null };
const samples = new Float32Array(16384); // a third of a second: longer than between two looks
const SLICE = 1024; // samples; a level is an average over so many

/**
 * Returns the highest level of the own microphone in the last third of a second, of 1. A browser without Web Audio, or whose
 * policy forbids it, shows no levels: 0.
 * @param {MediaStreamTrack | null} track
 */
export function ownLevel(track) {
  if (track !== listening.track) listen(track);
  if (!listening.analyser || !track?.enabled) return 0;
  listening.analyser.getFloatTimeDomainData(samples);
  let loudest = 0;
  for (let start = 0; start < samples.length; start += SLICE) {
    const slice = samples.subarray(start, start + SLICE);
    loudest = Math.max(loudest, slice.reduce((sum, sample) => sum + sample * sample, 0));
  }
  return Math.sqrt(loudest / SLICE);
}

function listen(track) {
  listening.context?.close().catch(() => {}); // it may be closed already
  listening = { track, context: null, analyser: null };
  if (!track) return;
  try {
    const context = new AudioContext();
    listening.context = context;
    context.resume().catch(() => {}); // it may need a click, and stays silent until then
    const analyser = context.createAnalyser();
    analyser.fftSize = samples.length;
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    listening.analyser = analyser;
  } catch {
    // No levels are shown.
  }
}
