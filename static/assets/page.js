// Finds the parts of a page. If the HTML lacks a part, or has one of another kind, the error
// names it.

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
