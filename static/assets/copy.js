// Copies text, and says so on the button that was pressed.

export async function copyText(text, button) {
  const label = button.querySelector("span") ?? button;
  label.dataset.label ??= label.textContent;
  label.textContent = await copied(text) ? "Copied" : "Not copied";
  button.toggleAttribute("data-copied", true);
  setTimeout(() => {
    label.textContent = label.dataset.label;
    button.removeAttribute("data-copied");
  }, 2000);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
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
  const done = document.execCommand("copy");
  field.remove();
  return done;
}
