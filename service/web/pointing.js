// Pointing at a sentence lights up its partner; pointing at a bullet, the sentences it rests on.
// The sentence s1 is #nl-s1 in Dutch and #en-s1 in English, both with data-sentence="s1"; a bullet
// has the ids of its sentences in data-sources.

/**
 * Links bullets and sentences inside `root`, by pointer and by focus; arrow keys move between
 * sentences. All sentences together are one stop of the Tab key.
 *
 * @param {HTMLElement} root holds the bullets and the sentences
 */
export function linkSentences(root) {
  let pointed = null;
  let focused = null;

  function light() {
    for (const element of root.querySelectorAll(".lit")) element.classList.remove("lit");
    const origin = pointed ?? focused;
    if (!origin) return;
    const id = origin.dataset.sentence;
    for (const one of id ? [id] : origin.dataset.sources.split(" ").filter(Boolean)) {
      for (const sentence of root.querySelectorAll(`[data-sentence="${one}"]`)) {
        sentence.classList.add("lit");
      }
    }
    if (id) {
      for (const bullet of root.querySelectorAll(`[data-sources~="${id}"]`)) {
        bullet.classList.add("lit");
      }
    } else {
      origin.classList.add("lit");
    }
  }

  const linked = (target) => target?.closest?.("[data-sentence], [data-sources]") ?? null;
  root.addEventListener("pointerover", (event) => {
    pointed = linked(event.target);
    light();
  });
  root.addEventListener("pointerleave", () => {
    pointed = null;
    light();
  });
  root.addEventListener("focusin", (event) => {
    focused = linked(event.target);
    if (focused?.dataset.sentence) holdTabStop(root, focused);
    light();
  });
  root.addEventListener("focusout", () => {
    focused = null;
    light();
  });
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const next = destination(root, event);
    if (!next) return;
    event.preventDefault();
    // The keyboard has taken over from a pointer that only rests there.
    pointed = null;
    next.focus();
  });
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-goto]");
    if (!link) return;
    event.preventDefault(); // the address of the page stays as it is
    pointed = null;
    document.getElementById(`en-${link.dataset.goto}`)?.focus();
  });
}

/** Makes one sentence the stop of the Tab key; any, if none is. */
export function holdTabStop(root, sentence) {
  const stop = root.querySelector('[data-sentence][tabindex="0"]');
  if (!sentence && stop) return;
  stop?.setAttribute("tabindex", "-1");
  (sentence ?? root.querySelector("[data-sentence]"))?.setAttribute("tabindex", "0");
}

/** Where a key leads to, if anywhere. */
function destination(root, event) {
  const { target, key } = event;
  const { sentence, sources } = target.dataset;
  if (sources && key === "Enter") return document.getElementById(`en-${sources.split(" ")[0]}`);
  if (!sentence) return null;
  if (key === "ArrowLeft") return document.getElementById(`nl-${sentence}`);
  if (key === "ArrowRight") return document.getElementById(`en-${sentence}`);
  const language = target.id.slice(0, 3);
  const column = [...root.querySelectorAll(`[data-sentence][id^="${language}"]`)];
  const place = column.indexOf(target);
  return {
    ArrowUp: column[place - 1],
    ArrowDown: column[place + 1],
    Home: column[0],
    End: column.at(-1),
  }[key];
}
