// Opens the camera and the microphone. If that fails, the error says what to do.

const ADVICE = {
  NotAllowedError: "The camera or the microphone is blocked for this page: allow it in the browser's address bar, and try again.",
  NotFoundError: "No camera or no microphone was found: plug it in, or ask for the other alone, such as openCamera({ audio: true }).",
  NotReadableError: "Another program uses the camera or the microphone: close that program, and try again.",
  OverconstrainedError: "No camera or microphone is as the constraints demand: use ideal instead of exact, min or max.",
  AbortError: "The camera or the microphone failed to start: plug it in anew, or restart the browser.",
  SecurityError: "The browser's settings switch camera and microphone off for all pages: allow them there.",
  TypeError: "Ask for video, audio or both, such as openCamera({ video: true }).",
};
const FRAMED = "This page is in a frame that may not use the camera: its <iframe> needs allow=\"camera; microphone\".";
const SANDBOXED = "This page is in a sandboxed frame, which gets no camera: its <iframe> needs sandbox=\"allow-scripts allow-same-origin\".";
const INSECURE = "A camera needs https: open this page by an https address, or on this computer by http://localhost.";
const NONE = "This browser gives pages no camera and no microphone: use a current version of Chrome, Edge, Firefox or Safari.";

// Some older browsers have other names for the same.
const NAMES = { PermissionDeniedError: "NotAllowedError", DevicesNotFoundError: "NotFoundError", TrackStartError: "NotReadableError" };

/**
 * Resolves to the stream of the camera and the microphone, or of what the constraints ask for.
 * Rejects with an Error whose message is for people, and whose name is that of getUserMedia's error.
 * @param {MediaStreamConstraints} [constraints]
 */
export async function openCamera(constraints = { video: true, audio: true }) {
  const { mediaDevices } = globalThis.navigator ?? {};
  if (!mediaDevices?.getUserMedia) {
    throw globalThis.isSecureContext === false ? problem("SecurityError", INSECURE) : problem("NotSupportedError", NONE);
  }
  try {
    return await mediaDevices.getUserMedia(constraints);
  } catch (error) {
    const name = NAMES[error.name] ?? error.name;
    throw problem(name, frameAdvice(name) ?? ADVICE[name] ?? error.message, error);
  }
}

// A frame without the permission is refused before anybody is asked. A frame that has no origin
// gets no permission.
function frameAdvice(name) {
  const { document, origin } = /** @type {any} */ (globalThis);
  if (name === "NotAllowedError" && document?.featurePolicy?.allowsFeature("camera") === false) return FRAMED;
  if (name === "SecurityError" && origin === "null") return SANDBOXED;
}

function problem(name, message, cause) {
  return Object.assign(new Error(message, { cause }), { name });
}
