// What all pages need: the address of the server, the parts of a page, and a bound on waiting. If the
// HTML lacks a part, or has a part of another kind, the error names it.

/** The address of the server, without a slash at its end. A proxy may serve the server below a path. */
export const server = new URL("..", import.meta.url).href.slice(0, -1);

/**
 * Returns the first element inside `within` that the selector matches.
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} within
 * @param {string} selector
 * @param {new () => E} [kind] such as HTMLInputElement
 * @returns {E}
 */
export function part(within, selector, kind) {
  const element = within.querySelector(selector);
  if (!(element instanceof (kind ?? HTMLElement))) throw new TypeError(`no ${kind?.name ?? "HTMLElement"} is ${selector}`);
  return /** @type {E} */ (element);
}

/**
 * Returns the element of the page that has this ID.
 * @template {Element} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} [kind]
 */
export const byId = (id, kind) => part(document, `#${id}`, kind);

/**
 * Returns a copy of the element in a template of the page.
 * @param {string} id
 */
export const stamp = (id) => /** @type {HTMLElement} */ (part(byId(id, HTMLTemplateElement).content, "*").cloneNode(true));

/**
 * Does work that may take this long (ms). It rejects after that time even if the work ignores the
 * signal. Another signal may end the work earlier. AbortSignal.timeout and AbortSignal.any do not
 * exist in all browsers, and an extension may hold a request.
 * @template T
 * @param {number} time
 * @param {(signal: AbortSignal) => Promise<T>} work
 * @param {AbortSignal} [other]
 */
export async function within(time, work, other) {
  const aborting = new AbortController();
  other?.addEventListener("abort", () => aborting.abort());
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const end = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error("The answer took too long."));
      aborting.abort();
    }, time);
  });
  try {
    return await Promise.race([work(aborting.signal), end]);
  } finally {
    clearTimeout(timer);
  }
}
