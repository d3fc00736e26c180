// Finds the parts of a page. One that the HTML lacks, or that is of another kind, is an error
// that names it.

/**
 * The first element in another one that a selector matches.
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
 * The element of the page that has this ID.
 * @template {Element} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} [kind]
 */
export const byId = (id, kind) => part(document, `#${id}`, kind);

/**
 * A copy of the element that a template of the page holds.
 * @param {string} id
 */
export const stamp = (id) => /** @type {HTMLElement} */ (part(byId(id, HTMLTemplateElement).content, "*").cloneNode(true));
