// Copies text, and says so on the button that was pressed.

import { within } from "./page.js";

const SLOW_COPY = 1000; // ms; a browser that has not copied by then may never do so

/**
 * Resolves to whether the text was copied.
 * @param {string} text
 * @param {HTMLElement} button
 * @param {HTMLElement} [source] shows the text, and is selected if the browser refuses to copy
 */
export async function copyText(text, button, source) {
  if (await copied(text)) {
    say(button, "Copied");
    button.toggleAttribute("data-copied", true);
    return true;
  }
  if (source) getSelection()?.selectAllChildren(source);
  say(button, source ? "Not copied, but selected" : "Not copied");
  return false;
}

/**
 * Shows a text in place of a button's label for a short time.
 * @param {HTMLElement} button
 * @param {string} text
 */
export function say(button, text) {
  const label = button.querySelector("span") ?? button;
  label.dataset.label ??= label.textContent ?? "";
  label.textContent = text;
  setTimeout(() => {
    label.textContent = label.dataset.label ?? "";
    button.removeAttribute("data-copied");
  }, 2000);
}

async function copied(text) {
  try {
    await within(SLOW_COPY, () => navigator.clipboard.writeText(text));
    return true;
  } catch {
    return copiedTheOldWay(text);
  }
}

// navigator.clipboard exists only on https and localhost; a server on a LAN may have neither.
function copiedTheOldWay(text) {
  const field = document.createElement("textarea");
  field.className = "visually-hidden";
  field.value = text;
  document.body.append(field);
  field.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
  }
}
