// Elements: found and made.

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/**
 * A new element.
 *
 * @param {string} name of the element
 * @param {object} attributes by name; `text` is its text
 * @param {...(Node | string)} children after the text
 */
export function make(name, { text, ...attributes } = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.append(text);
  element.append(...children);
  return element;
}
