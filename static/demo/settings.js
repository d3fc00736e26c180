// The dialog in which a person chooses camera, microphone and speaker, and tries them.

import { byId, within } from "../assets/page.js";
import { canShareScreen, explainFailures } from "./devices.js";
import { ownLevel } from "./levels.js";
import { recall, remember } from "./memory.js";

const LISTS = [
  { id: "choose-camera", kind: "camera", devices: "videoinput", name: "Camera" },
  { id: "choose-microphone", kind: "microphone", devices: "audioinput", name: "Microphone" },
  { id: "choose-speaker", kind: "speaker", devices: "audiooutput", name: "Speaker" },
];

// A browser that has not listed its devices by then may never do so (ms).
const SLOW_LIST = 3000;

const canChooseSpeaker = () => "setSinkId" in HTMLMediaElement.prototype;

/**
 * @param {import("./call.js").Call} call
 * @param {(id: string) => void} setSpeaker
 */
export function startSettings(call, setSpeaker) {
  const dialog = byId("settings-dialog", HTMLDialogElement);
  const { own } = call;
  let meter = 0;

  byId("settings").addEventListener("click", () => {
    say("");
    fill(own);
    showPreview(call);
    dialog.showModal();
    meter = setInterval(() => {
      byId("level", HTMLMeterElement).value = Math.min(1, 3 * ownLevel(own.microphone));
    }, 100);
  });
  byId("settings-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    clearInterval(meter);
    if (!call.active && !call.starting) own.stop(); // they were only tried
  });
  byId("try").addEventListener("click", async () => {
    say("Your browser may ask whether this page may use them.");
    say(explainFailures(await own.open(["microphone", "camera"]) ?? {}));
    fill(own);
  });
  for (const { id, kind } of LISTS) {
    byId(id).addEventListener("change", async () => {
      remember(kind, byId(id, HTMLSelectElement).value);
      if (kind === "speaker") return setSpeaker(recall(kind));
      say(explainFailures(await own.reopen(kind) ?? {}));
      fill(own);
    });
  }
  own.addEventListener("change", () => showPreview(call));
  // A device was plugged in or out.
  navigator.mediaDevices?.addEventListener?.("devicechange", () => dialog.open && fill(own));
}

function say(text) {
  byId("settings-problem").textContent = text;
}

async function fill(own) {
  const known = await devicesHere();
  const devices = known ?? [];
  const named = devices.some(({ label }) => label);
  for (const { id, kind, devices: wanted, name } of LISTS) {
    const select = byId(id, HTMLSelectElement);
    const found = devices.filter((device) => device.kind === wanted && device.deviceId);
    const current = own.settings(kind).deviceId ?? recall(kind);
    select.replaceChildren(...found.map((device, at) => new Option(device.label || `${name} ${at + 1}`, device.deviceId)));
    if (!found.length) select.add(new Option(named || known?.length === 0 ? "None found" : "Not known yet", ""));
    select.disabled = !found.length;
    if (found.some(({ deviceId }) => deviceId === current)) select.value = current;
  }
  byId("speaker-field").hidden = !canChooseSpeaker() || !devices.some(({ kind }) => kind === "audiooutput");
  byId("try-box").hidden = named || own.stream !== null;
  const limits = [
    !known && "This browser does not say which cameras and microphones there are.",
    byId("speaker-field").hidden && "Sound comes out of the speaker that your system has chosen.",
    !canShareScreen() && "This browser cannot share a screen.",
  ];
  byId("limits").textContent = limits.filter(Boolean).join(" ");
}

// Without permission to use devices, their names are empty. The result is null if the browser does
// not tell.
async function devicesHere() {
  try {
    return await within(SLOW_LIST, () => navigator.mediaDevices.enumerateDevices());
  } catch {
    return null;
  }
}

function showPreview({ active, own }) {
  const video = byId("preview", HTMLVideoElement);
  byId("preview-box").hidden = !own.stream;
  video.hidden = active || !own.picture; // in a call, the self-view shows it
  if (video.srcObject !== own.stream) video.srcObject = own.stream;
  byId("level-row").hidden = !own.microphone;
}
