// The operators' token, and the form that asks for it. The token lives as long as the tab, or as the
// page if the browser stores nothing. It is sent only in the header of requests.

import { byId } from "../assets/page.js";

const KEY = "operator-token";

let current = "";
try {
  current = sessionStorage.getItem(KEY) ?? "";
} catch {
  byId("gate-note").textContent = "Only this page keeps the token, until you reload or close it.";
}

export const token = () => current;

function keep(text) {
  current = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // The note beside the form says that nothing is stored.
  }
}

// Hides everything, and shows why. It asks for a token if a token would help.
export function showGate({ status, message, retryAfter }) {
  const wasShut = "gated" in document.body.dataset;
  const tried = token();
  const lacksScope = status === 403 && Boolean(tried);
  document.body.dataset.gated = "";
  byId("gate").hidden = false;
  byId("forget").hidden = true;
  byId("gate-form").hidden = status === 403 && !tried;
  byId("gate-text").textContent = status === 403 && !tried ? message
    : "Enter the server’s ADMIN_TOKEN, or a token with the scope “read”, to see what the server is doing.";
  byId("gate-problem").textContent =
    status === 429 ? `${message} Try again in ${Math.ceil(retryAfter / 1000)} s.`
    : lacksScope ? message
    : status === 401 && tried ? "That is not the token." : "";
  if (status === 401 || lacksScope) keep("");
  byId("gate-token").toggleAttribute("aria-invalid", lacksScope || status === 401 && Boolean(tried));
  if (!wasShut || tried) byId("gate-token").focus();
}

export function hideGate() {
  delete document.body.dataset.gated;
  byId("gate").hidden = true;
  byId("gate-token", HTMLInputElement).value = "";
  byId("forget").hidden = !token();
}

// Calls back when somebody enters a token. Forgetting the token reloads the page.
export function watchToken(changed) {
  byId("gate-form").addEventListener("submit", (event) => {
    event.preventDefault();
    keep(byId("gate-token", HTMLInputElement).value.trim());
    changed();
  });
  byId("forget").addEventListener("click", () => {
    keep("");
    location.reload(); // removes what the page shows
  });
}
