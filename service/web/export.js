// What the reader takes along: text on the clipboard, files.

import { byId, make } from "./dom.js";

const LABEL_BACK_MS = 1_500;
const FETCHED_MS = 60_000;

/** Puts a text on the clipboard; the button that was pressed says whether that worked. */
export async function copy(button, text) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = copyWithoutClipboard(text);
  }
  const words = copied ? "Copied" : "Can’t be copied here";
  button.dataset.label ??= button.textContent; // of a second click it is the label still
  button.style.minWidth = `${button.offsetWidth}px`; // its neighbours stay where they are
  button.textContent = words;
  byId("announcer").textContent = words;
  setTimeout(() => {
    button.textContent = button.dataset.label;
  }, LABEL_BACK_MS);
}

/** Over plain HTTP from another machine browsers offer no clipboard but this one, if any. */
function copyWithoutClipboard(text) {
  const focused = document.activeElement;
  const area = make("textarea", { class: "hidden-visually", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  focused?.focus();
  return copied;
}

/** Offers a file for download, named after the title of the article if it has one. */
export function save(title, text, type, suffix) {
  const words = (title ?? "article").toLowerCase().match(/[a-z0-9]+/g) ?? ["article"];
  const link = make("a", {
    href: URL.createObjectURL(new Blob([text], { type })),
    download: `${words.slice(0, 8).join("-")}${suffix}`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), FETCHED_MS);
}
