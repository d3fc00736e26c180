// The stage around the tiles: what to do next, who calls, and the buttons of the call.

import { byId } from "../assets/page.js";
import { canShareScreen } from "./devices.js";
import { list } from "./names.js";

/**
 * What the stage depends on, beside the call.
 * @typedef {object} Situation
 * @property {boolean} canCall whether this browser can make calls
 * @property {number} others how many others are in the room
 * @property {string[]} leftOut the names of those whose browsers cannot make calls
 * @property {boolean} withCamera
 * @property {string[]} callers the names of those who are in a call with this page
 */

/**
 * If others are in the room and nobody calls yet, the next step is the Call button, not the link.
 * @param {import("./call.js").Call} call
 * @param {Situation} situation
 */
export function showEmpty(call, situation) {
  const { others, leftOut } = situation;
  const empty = !call.active && !situation.callers.length;
  byId("stage-empty").hidden = !empty && !(call.active && others === 0);
  byId("stage-empty").toggleAttribute("data-beside", call.active);
  byId("share-box").hidden = others > 0;
  byId("empty-title").textContent = others === 0
    ? "You are alone here"
    : others === 1 ? "One other person is here" : `${others} other people are here`;
  byId("empty-text").textContent = nextStep(call, situation);
  byId("left-out").hidden = !leftOut.length;
  byId("left-out").textContent = leftOut.length === 1
    ? `${list(leftOut)}’s browser cannot make calls. You can chat with each other.`
    : `The browsers of ${list(leftOut)} cannot make calls. You can chat with them.`;
}

function nextStep(call, { canCall, others, leftOut, withCamera }) {
  if (!canCall) return "This browser cannot make calls. You can still chat and see who is here. To call, open this page in another browser.";
  if (others === 0) {
    return call.active
      ? "Share the link. Everybody who joins is called at once."
      : "Share the link to this room, or open it in a second tab.";
  }
  if (leftOut.length === others) return "There is nobody here to call yet.";
  return withCamera
    ? "Press Call to reach everybody in the room. They see and hear you, and may answer with their cameras."
    : "Press Call to connect with everybody in the room, without camera and microphone.";
}

// Whether a button that begins or ends a call had the focus last.
let isAtCall = false;

/**
 * @param {import("./call.js").Call} call
 * @param {Situation} situation
 */
export function showControls(call, { canCall, others, leftOut, withCamera, callers }) {
  const { active, starting, own } = call;
  const busy = active || callers.length > 0;
  const ringing = !active && !starting && callers.length > 0;
  const nobody = others > 0 && leftOut.length === others;
  const focused = document.activeElement;
  if (focused !== document.body) isAtCall = focused === byId("call") || focused === byId("hangup");
  byId("call").hidden = !canCall || active || (nobody && !starting);
  byId("call", HTMLButtonElement).disabled = starting;
  byId("call-text").textContent = starting ? (withCamera ? "Starting camera…" : "Connecting…") : ringing ? "Answer" : "Call";
  byId("hangup").hidden = !busy && !starting;
  byId("hangup-text").textContent = starting && !busy ? "Cancel" : "Hang up";
  for (const kind of ["microphone", "camera"]) {
    byId(kind).hidden = !active;
    byId(kind).setAttribute("aria-pressed", String(own.enabled(kind) === true));
  }
  byId("screen").hidden = !active || !canShareScreen();
  byId("screen").setAttribute("aria-pressed", String(own.sharing));
  byId("settings").hidden = !canCall;
  byId("full").hidden = !busy;
  byId("incoming").hidden = !ringing;
  if (ringing) byId("incoming-text").textContent = incomingText(callers, withCamera);
  byId("stage").toggleAttribute("data-ringing", ringing);
  byId("stage").dataset.others = String(others);
  byId("stage").toggleAttribute("data-without-calls", !canCall);
  byId("direct-choice").hidden = ![...call.peers.values()].some((peer) => peer.channel.readyState === "open");
  // If the button that had the focus is gone, a button that takes its place gets the focus.
  const isLost = focused === document.body || Boolean(focused?.closest("[hidden]"));
  if (isAtCall && isLost && !starting) byId(active ? "microphone" : "call").focus();
}

function incomingText(callers, withCamera) {
  const verb = callers.length === 1 ? "is" : "are";
  return withCamera
    ? `${list(callers)} ${verb} calling. Nobody sees or hears you until you press Answer.`
    : `${list(callers)} ${verb} calling. Press Answer to connect with everybody here.`;
}
