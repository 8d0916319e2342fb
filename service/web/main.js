// The form, and what happens when it is sent. The article is stored nowhere: it is in the form only.

import { Answer } from "./answer.js";
import {
  Unusable,
  copiedFragment,
  countCharacters,
  detectFormat,
  megabytes,
  readFile,
} from "./article.js";
import { byId } from "./dom.js";
import { copy, save } from "./export.js";
import { canBeKey, forgetKey, hasKey, keepKey, keyHeader } from "./key.js";
import { clearMessage, showMessage } from "./messages.js";
import { Refused, stream } from "./stream.js";
import { ResultView } from "./view.js";
import { explain } from "./words.js";

const ANNOUNCE_EVERY_MS = 5_000;
const FORMAT_NAMES = { text: "plain text", html: "HTML", markdown: "Markdown" };

const composer = byId("composer");
const article = byId("article");
const title = byId("title");
const view = new ResultView();

/** What this server accepts; nothing is checked here as long as it is not known. */
let limits = { max_article_characters: Infinity, max_body_bytes: Infinity };
/** A document that the server reads, in the place of the text. */
let attachment = null;
/** Ends the request under way. */
let running = null;
let shown = null;
let announced = 0;

fetch("v1/limits")
  .then((response) => (response.ok ? response.json() : limits))
  .then((known) => {
    limits = known;
    showSize();
  })
  .catch(() => {}); // The server checks too.

// --- the article

function format() {
  const chosen = byId("format").value;
  return chosen === "auto" ? detectFormat(article.value) : chosen;
}

function showSize() {
  const count = countCharacters(article.value);
  const most = limits.max_article_characters;
  const over = count > most;
  byId("article-size").classList.toggle("over", over);
  byId("article-size").textContent = !count
    ? ""
    : `${number(count)}${Number.isFinite(most) ? ` of at most ${number(most)}` : ""} characters` +
      `${over ? ": too many" : `, ${FORMAT_NAMES[format()]}`}`;
}

function number(value) {
  return value.toLocaleString("en");
}

function attach(file) {
  attachment = file;
  byId("attachment").hidden = !file;
  article.hidden = Boolean(file);
  byId("article-size").hidden = Boolean(file);
  byId("attachment-name").textContent = file ? `${file.name} (${megabytes(file.size)})` : "";
}

async function open(file) {
  try {
    const { text, format: known, document } = await readFile(file, limits.max_body_bytes);
    clearMessage();
    attach(document ?? null);
    if (document) {
      byId("detach").focus();
      return;
    }
    article.value = text;
    byId("format").value = known;
    showSize();
    article.focus();
  } catch (error) {
    if (!(error instanceof Unusable)) throw error;
    showMessage("This file can’t be used", `${error.message} Your text is as it was.`);
  }
}

/** What keeps the article from being sent, or null. */
function obstacle(body) {
  if (attachment) return null;
  if (!article.value.trim()) return ["There is no article yet", "Paste, type or drop one first."];
  const count = countCharacters(article.value);
  // Markup does not count, so that only the server knows how long the rest is.
  const most = limits.max_article_characters;
  if (format() === "text" && count > most) {
    return [
      "The article is too long for this server",
      `It has ${number(count)} characters; at most ${number(most)} are taken. ` +
        "Nothing was sent, and your text is still here.",
    ];
  }
  if (body.size > limits.max_body_bytes) {
    return [
      "The article is too large for this server",
      `It is ${megabytes(body.size)}; at most ${megabytes(limits.max_body_bytes)} are taken. ` +
        "Nothing was sent, and your text is still here.",
    ];
  }
  return null;
}

// --- the request

function requestFor() {
  const bullets = byId("bullets").valueAsNumber;
  const options = {
    ...(title.value.trim() ? { title: title.value } : {}),
    summary: bullets > 0 ? { bullets, headline: byId("headline").checked } : null,
  };
  if (attachment) {
    const form = new FormData();
    form.set("options", JSON.stringify(options));
    form.set("file", attachment);
    return { url: "v1/documents", request: { body: form, headers: keyHeader() } };
  }
  const body = new Blob([JSON.stringify({ ...options, [format()]: article.value })]);
  return {
    url: "v1/articles",
    request: { body, headers: { "Content-Type": "application/json", ...keyHeader() } },
  };
}

async function translate() {
  if (running || !byId("form").reportValidity()) return;
  const again = byId("message").contains(document.activeElement);
  clearMessage();
  const { url, request } = requestFor();
  const reason = obstacle(request.body);
  if (reason) {
    article.focus({ preventScroll: true }); // the message may be far above
    showMessage(...reason);
    return;
  }
  const answer = new Answer(title.value.trim(), attachment ? "" : format());
  running = new AbortController();
  working(true);
  if (again) byId("stop").focus();
  report("Sent. Waiting for the first paragraph…", true);
  let begun = false;
  try {
    for await (const event of stream(url, request, running.signal)) {
      if (!begun) begin(answer);
      begun = true;
      answer.take(event);
      view.update(event, answer);
      if (event.name === "block") {
        const count = answer.blocks.length;
        report(`${count} paragraph${count === 1 ? "" : "s"} so far…`);
      }
    }
    working(false);
    report("The translation is complete.", true);
  } catch (error) {
    const stopped = running.signal.aborted;
    working(false);
    if (begun) view.end();
    else composer.open = true;
    if (stopped) {
      showMessage(
        "Stopped",
        begun ? "What has arrived stays below." : "Your article is still in the form.",
        { again: "Start again", calm: true },
      );
    } else if (error instanceof Refused && error.problem.status === 401) {
      askForKey(explain(error, begun));
    } else {
      const { heading, text, waitSeconds, id } = explain(error, begun);
      showMessage(heading, text, { again: "Try again", waitSeconds, id });
    }
  } finally {
    running = null;
    enable();
  }
}

function begin(answer) {
  const inside = [composer, byId("key-form")].some((one) => one.contains(document.activeElement));
  shown = answer;
  byId("key-form").hidden = true;
  view.begin(answer, byId("bullets").valueAsNumber > 0);
  composer.open = false;
  if (inside) byId("stop").focus();
  enable();
}

/** Says how far it is: to the eye at once, to the ear every few seconds; `always` to both. */
function report(words, always = false) {
  byId("progress-text").textContent = words;
  if (always || performance.now() - announced > ANNOUNCE_EVERY_MS) {
    byId("announcer").textContent = words;
    announced = performance.now();
  }
}

function working(busy) {
  const stopping = document.activeElement === byId("stop");
  byId("progress").hidden = !busy;
  byId("result").setAttribute("aria-busy", busy);
  // Not disabled, which would lose the focus.
  byId("translate").setAttribute("aria-disabled", busy);
  if (busy) byId("progress").scrollIntoView({ block: "nearest" });
  if (stopping && composer.open) article.focus({ preventScroll: true });
  else if (stopping) view.focus();
}

function enable() {
  const complete = Boolean(shown?.rest);
  byId("save-json").disabled = !complete;
  byId("copy-bullets").disabled = !shown?.bullets.length;
}

// --- the key

function askForKey({ heading, text, id }) {
  if (hasKey()) {
    forgetKey();
    showMessage("This key was refused", text, { id });
  } else {
    showMessage(heading, text, { id, calm: true });
  }
  showKey();
  byId("key-form").hidden = false;
  byId("key").focus();
}

function useKey() {
  const text = byId("key").value.trim();
  if (!canBeKey(text)) {
    showMessage("This can’t be a key", "A key has no spaces, and letters without accents.");
    byId("key").focus();
    return;
  }
  keepKey(text);
  byId("key").value = "";
  showKey();
  translate();
}

/** Shows whether a key is kept. */
function showKey() {
  byId("kept-key").hidden = !hasKey();
}

// --- what the reader does

byId("form").addEventListener("submit", (event) => {
  event.preventDefault();
  translate();
});
byId("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) translate();
});
byId("stop").addEventListener("click", () => running?.abort());
byId("message").addEventListener("click", ({ target }) => {
  if (target.id === "again") translate();
});
byId("clear").addEventListener("click", () => {
  byId("form").reset();
  attach(null);
  clearMessage();
  showSize();
  article.focus();
});
byId("detach").addEventListener("click", () => {
  attach(null);
  article.focus();
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey();
});
byId("forget-key").addEventListener("click", () => {
  forgetKey();
  showKey();
  article.focus();
});
byId("choose").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", ({ target }) => {
  if (target.files.length) open(target.files[0]);
  target.value = "";
});
article.addEventListener("input", showSize);
byId("format").addEventListener("change", showSize);
article.addEventListener("paste", (event) => {
  const { clipboardData } = event;
  const plain = clipboardData.getData("text/plain");
  const html = byId("paste-html").checked ? clipboardData.getData("text/html") : "";
  const [file] = clipboardData.files;
  const bytes = Math.max(plain.length, html.length);
  if (bytes > limits.max_body_bytes) {
    // No format makes it fit, and a browser may take half a minute to show it.
    event.preventDefault();
    showMessage(
      "This is too large for this server",
      `It is ${megabytes(bytes)}; at most ${megabytes(limits.max_body_bytes)} are taken. ` +
        "It was not pasted, and your text is as it was.",
    );
  } else if (file && !plain) {
    event.preventDefault();
    open(file);
  } else if (html) {
    event.preventDefault();
    const { selectionStart, selectionEnd } = article;
    article.setRangeText(copiedFragment(html), selectionStart, selectionEnd, "end");
    byId("format").value = "html";
    showSize();
  }
});

for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    composer.open = true;
    byId("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) byId("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  byId("drop").classList.remove("over");
  const { files } = event.dataTransfer;
  if (!files.length) return;
  event.preventDefault();
  if (files.length > 1) {
    showMessage("One article at a time", "Several files were dropped. Your text is as it was.");
  } else {
    open(files[0]);
  }
});

byId("copy-text").addEventListener("click", ({ target }) => copy(target, shown.text));
byId("copy-bullets").addEventListener("click", ({ target }) => copy(target, shown.bulletText));
byId("save-markdown").addEventListener("click", () =>
  save(shown.title, shown.toMarkdown(), "text/markdown", ".md"),
);
byId("save-json").addEventListener("click", () =>
  save(shown.title, `${JSON.stringify(shown, null, 2)}\n`, "application/json", ".json"),
);

showKey();
