// The camera and the microphone, or as much of them as there is.

// Everybody sends to everybody, so a modest picture.
const VIDEO = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { max: 30 }, facingMode: "user" };

// Answers { stream, note }: stream is null where there is nothing to send, and note says
// in words what is missing.
export async function openMedia() {
  if (!navigator.mediaDevices?.getUserMedia) {
    return { stream: null, note: "Browsers give a camera only to pages on https or localhost. You are connected without one." };
  }
  /** @type {[MediaStreamConstraints, string][]} */
  const attempts = [
    [{ audio: true, video: VIDEO }, ""],
    [{ audio: true }, "No usable camera was found, so you are in with sound alone."],
    [{ video: VIDEO }, "No usable microphone was found, so you are in with the picture alone."],
  ];
  let failure;
  for (const [constraints, note] of attempts) {
    try {
      return { stream: await navigator.mediaDevices.getUserMedia(constraints), note };
    } catch (error) {
      failure = error;
      if (error.name === "NotAllowedError" || error.name === "SecurityError") break;
    }
  }
  const blocked = failure.name === "NotAllowedError" || failure.name === "SecurityError";
  return {
    stream: null,
    note: blocked
      ? "Camera and microphone are blocked for this page. You are connected without them; allow them in the address bar, then press Add camera."
      : "No camera or microphone was found. You are connected by data channel alone.",
  };
}
