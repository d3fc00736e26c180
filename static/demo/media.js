// Opens the camera and the microphone, or only one of them.

// Each member sends its video to each other member, so the video is small.
const VIDEO = { width: { ideal: 960 }, height: { ideal: 540 }, frameRate: { max: 30 }, facingMode: "user" };

// Resolves to { stream, note }. The stream is null if there is nothing to send. The note tells
// the person what is missing.
export async function openMedia() {
  if (!navigator.mediaDevices?.getUserMedia) {
    return { stream: null, note: "Browsers allow the camera only to pages on https or localhost. You are connected without it." };
  }
  /** @type {[MediaStreamConstraints, string][]} */
  const attempts = [
    [{ audio: true, video: VIDEO }, ""],
    [{ audio: true }, "No usable camera was found. You send only audio."],
    [{ video: VIDEO }, "No usable microphone was found. You send only video."],
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
      ? "Camera and microphone are blocked for this page. You are connected without them. Allow them in the address bar, then press Add camera."
      : "No camera or microphone was found. You are connected only by data channel.",
  };
}
