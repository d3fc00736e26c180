// Remembers what the person chose in this browser. A browser may forbid that, or have no room
// left. Then the page works without a memory, so these failures are not reported.

export function remember(name, value) {
  try {
    localStorage.setItem(`demo-${name}`, value);
  } catch {}
}

export function recall(name) {
  try {
    return localStorage.getItem(`demo-${name}`) ?? "";
  } catch {
    return "";
  }
}
