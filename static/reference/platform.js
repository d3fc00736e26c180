// Runs before the reference, and gives the reference what its browser or the page's policy denies.

// A validator in the reference tries eval as soon as it is loaded. The page's policy forbids eval,
// and some browsers report the attempt as an error.
globalThis.__zod_globalConfig = { jitless: true };

// The reference does not start if the browser blocks storage. What the reference keeps then lasts
// as long as the page.
for (const name of ["localStorage", "sessionStorage"]) {
  try {
    window[name].length;
  } catch {
    Object.defineProperty(window, name, { configurable: true, value: memory() });
  }
}

function memory() {
  const kept = new Map();
  return {
    get length() { return kept.size; },
    key: (i) => [...kept.keys()][i] ?? null,
    getItem: (key) => kept.get(String(key)) ?? null,
    setItem: (key, value) => { kept.set(String(key), String(value)); },
    removeItem: (key) => { kept.delete(String(key)); },
    clear: () => kept.clear(),
  };
}
