// Puts the names of people into English sentences.

// How many names a sentence may have. A room has more members than anybody wants to read.
const MOST = 3;

// Keeps a name that is written from right to left from turning the words around it: Unicode's
// FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE.
export const isolate = (name) => `\u2068${name}\u2069`;

// Intl.ListFormat is younger than some browsers that can do all the rest.
export function list(names) {
  const shown = names.length > MOST ? names.slice(0, MOST - 1) : names;
  const words = shown.map(isolate);
  if (shown !== names) words.push(`${names.length - shown.length} others`);
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
}

// The initials of a name, for its avatar.
export function initials(name) {
  const words = name.trim().split(/\s+/);
  const spoken = words.map((word) => word.replace(/^[^\p{L}\p{N}]+/u, "")).filter(Boolean);
  const ends = spoken.length ? [spoken[0], ...spoken.slice(1).slice(-1)] : words.slice(0, 1);
  return ends.map(firstLetter).join("").toUpperCase();
}

// Some letters and most emoji consist of several code points.
function firstLetter(word) {
  if (!globalThis.Intl?.Segmenter) return [...word][0] ?? "";
  return [...new Intl.Segmenter("en").segment(word)][0]?.segment ?? "";
}
