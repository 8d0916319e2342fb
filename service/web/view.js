// Shows an answer as it arrives. Text only ever becomes text: nothing here parses markup.

import { byId, make } from "./dom.js";
import { holdTabStop, linkSentences } from "./pointing.js";
import { SEVERITIES, WARNINGS } from "./words.js";

/** The part of the page below the form. */
export class ResultView {
  #root = byId("result");
  #pairs = byId("pairs");
  #bullets = byId("bullets-list");
  #cited = new Set();

  constructor() {
    linkSentences(this.#root);
  }

  /** Makes room for an answer. */
  begin(answer, wantsBullets) {
    this.#cited.clear();
    for (const id of ["pairs", "bullets-list", "notices", "warnings-list", "facts"]) {
      byId(id).replaceChildren();
    }
    byId("short-headline").hidden = true;
    byId("warnings").hidden = true;
    byId("warnings").open = false;
    byId("summary").hidden = !wantsBullets;
    byId("summary-wait").textContent = "The bullets come after the last paragraph.";
    this.#root.hidden = false;
    this.#showTitle(answer);
  }

  /** Shows what one event brought. */
  update({ name, data }, answer) {
    if (name === "title") this.#showTitle(answer);
    if (name === "block") this.#showBlock(data);
    if (name === "bullet") this.#showBullet(data);
    if (name === "done") this.#showRest(answer);
    holdTabStop(this.#root, null);
  }

  /** Says that no more is coming, though not all has arrived. */
  end() {
    byId("summary-wait").textContent = this.#bullets.children.length
      ? ""
      : "There are no bullets: the translation is not complete.";
  }

  /** Moves the focus to the top of the answer; the reader stays where they read. */
  focus() {
    byId("english-title").focus({ preventScroll: true });
  }

  #showTitle({ title, dutchTitle }) {
    byId("english-title").textContent = title ?? "Translation";
    byId("dutch-title").textContent = dutchTitle;
  }

  #showBlock({ index, kind, sentences }) {
    const name = kind === "heading" ? "h4" : "p";
    const column = (language, text, partner) =>
      make(
        name,
        { lang: language },
        ...sentences.flatMap((sentence, place) => [
          place ? " " : "",
          this.#sentence(sentence, language, sentence[text], partner),
        ]),
      );
    const notes = sentences.flatMap(({ id, warnings }) =>
      warnings.map((warning) => note(warning, id)),
    );
    const pair = make(
      "div",
      { class: `pair ${kind}`, "data-index": index },
      column("nl", "source", "en"),
      make(
        "div",
        { class: "english" },
        column("en", "target", "nl"),
        ...(notes.length ? [make("ul", { class: "notes" }, ...notes)] : []),
      ),
    );
    this.#place(pair, index);
  }

  /** Puts a pair in its place; one that comes again keeps the reader's place in it. */
  #place(pair, index) {
    const pairs = [...this.#pairs.children];
    const old = pairs.find((other) => Number(other.dataset.index) === index);
    if (old) {
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      old.replaceWith(pair);
      if (focused) byId(focused)?.focus();
    } else {
      const later = pairs.find((other) => Number(other.dataset.index) > index);
      this.#pairs.insertBefore(pair, later ?? null);
    }
  }

  #sentence({ id, warnings }, language, text, partner) {
    const own = language === "en" ? warnings : [];
    const worst = ["hard", "soft", "notice"].find((s) => own.some((w) => w.severity === s));
    const described = [`${partner}-${id}`, ...own.map((w) => noteId(id, w))];
    const element = make("span", {
      text,
      id: `${language}-${id}`,
      class: `sentence${worst ? ` marked ${worst}` : ""}${this.#cited.has(id) ? " cited" : ""}`,
      tabindex: "-1",
      "data-sentence": id,
      "data-number": id.slice(1),
      "aria-describedby": described.join(" "),
    });
    if (worst) {
      element.append(
        make("span", { class: "sign", text: SEVERITIES[worst].sign, "aria-hidden": "true" }),
        make("span", { class: "hidden-visually", text: ` (${SEVERITIES[worst].words}.)` }),
      );
    }
    return element;
  }

  #showBullet({ index, text, sources, support, written, warnings }) {
    byId("summary-wait").textContent = "";
    const item = make(
      "li",
      {
        tabindex: "0",
        class: "bullet",
        "data-index": index,
        "data-sources": sources.join(" "),
        "aria-describedby": sources.map((id) => `en-${id}`).join(" "),
      },
      make("span", { text, lang: "en", class: "bullet-text" }),
      make(
        "span",
        { class: "receipt" },
        sources.length === 1 ? "Sentence " : "Sentences ",
        ...sources.map(sentenceLink),
        `· ${written ? "written by the model" : "taken from the article"} · ` +
          `support\u00a0${Math.round(support * 100)}%`,
      ),
      ...(warnings.length
        ? [make("ul", { class: "notes" }, ...warnings.map((warning) => note(warning, null)))]
        : []),
    );
    const old = this.#bullets.querySelector(`[data-index="${index}"]`);
    if (old) old.replaceWith(item);
    else this.#bullets.append(item);
    for (const id of sources) {
      this.#cited.add(id);
      for (const sentence of this.#root.querySelectorAll(`[data-sentence="${id}"]`)) {
        sentence.classList.add("cited");
      }
    }
  }

  #showRest(answer) {
    const { summary, usage, models, timing_ms: timing } = answer.rest;
    this.#showTitle(answer);
    byId("summary").hidden = !summary;
    byId("summary-wait").textContent = answer.bullets.length ? "" : "No bullets were made.";
    byId("short-headline").hidden = !summary?.headline;
    byId("short-headline").textContent = summary?.headline ?? "";
    byId("facts").textContent =
      `${usage.sentences} sentence${usage.sentences === 1 ? "" : "s"} by ` +
      `${models.translation.card} in ${duration(timing.total)}`;
    byId("notices").replaceChildren(
      ...answer.rest.warnings.map((warning) =>
        make("p", { class: `banner ${warning.severity}` }, ...said(warning)),
      ),
    );
    this.#showWarnings(answer.warnings);
  }

  /** All warnings, those of one sentence or bullet together. */
  #showWarnings(warnings) {
    const counts = Object.entries(SEVERITIES)
      .map(([severity, { sign, count }]) => {
        const found = warnings.filter(({ warning }) => warning.severity === severity).length;
        const mark = make("span", { class: "sign", text: sign, "aria-hidden": "true" });
        return found ? make("span", { class: severity }, mark, count(found)) : null;
      })
      .filter(Boolean);
    const places = Map.groupBy(warnings, ({ sentence, bullet }) => sentence ?? bullet ?? "");
    byId("warnings").hidden = !warnings.length;
    byId("warnings").open = warnings.some(({ warning }) => warning.severity !== "notice");
    byId("warnings-counts").replaceChildren(...counts);
    byId("warnings-list").replaceChildren(
      ...[...places.values()].map((group) =>
        make(
          "li",
          {},
          make("span", { class: "place" }, ...place(group[0])),
          ...group.map(({ warning }) => make("p", { class: warning.severity }, ...said(warning))),
        ),
      ),
    );
  }
}

function duration(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

function place({ sentence, bullet }) {
  if (sentence) return ["Sentence ", sentenceLink(sentence)];
  return [bullet === undefined ? "Whole article" : `Bullet ${bullet + 1}`];
}

function noteId(id, warning) {
  return `note-${id}-${warning.code}`;
}

/** A warning beside what it is about; `id` is that of its sentence, if it is about one. */
function note(warning, id) {
  return make(
    "li",
    { class: warning.severity, ...(id ? { id: noteId(id, warning) } : {}) },
    ...(id ? [sentenceLink(id), " "] : []),
    ...said(warning),
  );
}

/** How much a warning matters, what it says, and the words that it rests on. */
function said({ code, severity, evidence }) {
  const { sign, words } = SEVERITIES[severity];
  const shown =
    code === "repaired" // its evidence is the codes of the checks that failed
      ? evidence.split(", ").map((failed) => WARNINGS[failed] ?? failed).join(" ")
      : evidence.replaceAll("->", "→");
  return [
    make("span", { class: "sign", text: sign, "aria-hidden": "true" }),
    make("strong", { text: `${words}: ` }),
    WARNINGS[code] ?? code,
    ...(shown ? [" ", make("q", { text: shown, class: "evidence" })] : []),
  ];
}

function sentenceLink(id) {
  return make("a", {
    text: id.slice(1),
    href: `#en-${id}`,
    class: "to-sentence",
    "data-goto": id,
    "aria-label": `Sentence ${id.slice(1)}`,
  });
}
