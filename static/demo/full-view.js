// Lets the stage fill the screen, with all tiles or with one of them. In a browser that cannot
// show pages full screen, such as an iPhone's, the stage fills the window.

import { byId } from "../assets/page.js";

/** @type {HTMLElement | null} */
let alone = null; // the tile that is shown without the others

// Whether the browser has given its full screen to what is shown now. Otherwise an end of a full
// screen belongs to what was shown before.
let hasScreen = false;

const isFull = () => document.body.hasAttribute("data-full");

export function startFullView() {
  byId("full").addEventListener("click", () => isFull() && !alone ? leaveFullView() : enter(null));
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || !hasScreen || leaveFullView());
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && isFull() && !document.querySelector("dialog[open]")) leaveFullView();
  });
}

// Gives a tile the button by which it fills the screen.
export function mayFill(tile, button) {
  button.addEventListener("click", () => alone === tile ? leaveFullView() : enter(tile));
}

export function leaveFullView() {
  if (!isFull()) return;
  show(null, false);
  hasScreen = false;
  exit();
}

// The tile is about to go.
export function release(tile) {
  if (alone === tile) leaveFullView();
}

async function enter(tile) {
  show(tile, true);
  try {
    await document.documentElement.requestFullscreen();
    hasScreen = isFull();
  } catch {
    // The stage fills the window.
  }
  if (!isFull()) exit(); // the person has changed their mind meanwhile
}

function exit() {
  if (document.fullscreenElement) document.exitFullscreen().catch(() => {}); // it has ended by itself
}

function show(tile, full) {
  alone?.removeAttribute("data-alone");
  alone?.querySelector(".tile-full")?.setAttribute("aria-pressed", "false");
  alone = tile;
  alone?.setAttribute("data-alone", "");
  alone?.querySelector(".tile-full")?.setAttribute("aria-pressed", "true");
  document.body.toggleAttribute("data-full", full);
  document.body.toggleAttribute("data-full-tile", full && tile !== null);
  byId("full").setAttribute("aria-pressed", String(full && !tile));
}
