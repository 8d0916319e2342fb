// The answer of POST /v1/articles, put together from its events.

/** An answer as far as it has arrived. */
export class Answer {
  title = null;
  blocks = [];
  bullets = [];
  /** Everything else; null until the last event. */
  rest = null;

  /**
   * @param {string} dutchTitle the headline that was submitted, or ""
   * @param {string} format how the article is written: text, html or markdown; "" for a document
   */
  constructor(dutchTitle, format) {
    this.dutchTitle = dutchTitle;
    this.format = format;
  }

  /** Takes one event in; a part that comes again takes the place of the first. */
  take({ name, data }) {
    if (name === "title") this.title = data.title;
    if (name === "block" || name === "bullet") {
      const { index, ...part } = data;
      this[`${name}s`][index] = part;
    }
    if (name === "done") {
      this.rest = data;
      this.dutchTitle ||= data.page?.title ?? "";
    }
  }

  get sentences() {
    return this.blocks.flatMap((block) => block.sentences);
  }

  /** The English text, after its title. */
  get text() {
    const body =
      this.rest && this.format === "text"
        ? this.rest.translation.text.trim()
        : this.blocks.map((block) => block.sentences.map((s) => s.target).join(" ")).join("\n\n");
    return this.title ? `${this.title}\n\n${body}` : body;
  }

  /** The bullets, one a line. */
  get bulletText() {
    return this.bullets.map((bullet) => `• ${bullet.text}`).join("\n");
  }

  /** Every warning as `{warning, sentence}`, `{warning, bullet}` or `{warning}` alone. */
  get warnings() {
    return [
      ...(this.rest?.warnings ?? []).map((warning) => ({ warning })),
      ...this.bullets.flatMap((bullet, index) =>
        bullet.warnings.map((warning) => ({ warning, bullet: index })),
      ),
      ...this.sentences.flatMap((sentence) =>
        sentence.warnings.map((warning) => ({ warning, sentence: sentence.id })),
      ),
    ];
  }

  /** The plain answer, as a request for JSON gets it; only when complete. */
  toJSON() {
    const { id, ...rest } = this.rest;
    return {
      id,
      title: this.title,
      ...rest,
      translation: { ...rest.translation, blocks: this.blocks },
      summary: rest.summary && { ...rest.summary, bullets: this.bullets },
    };
  }

  /** What `kortom translate --markdown` prints. */
  toMarkdown() {
    const lines = this.title ? [`# ${literal(this.title)}`, ""] : [];
    for (const { text, sources, warnings } of this.bullets) {
      lines.push(`- ${literal(text)} (${sources.join(", ")})${codes(warnings)}`);
    }
    lines.push("", "| | Dutch | English |", "|---|---|---|");
    this.blocks.forEach(({ sentences }, index) => {
      if (index) lines.push("| | | |");
      for (const { id, source, target, warnings } of sentences) {
        lines.push(`| ${id} | ${literal(source)} | ${literal(target)}${codes(warnings)} |`);
      }
    });
    if (this.rest?.warnings.length) {
      lines.push("", `Warnings: ${this.rest.warnings.map((w) => w.code).join(", ")}`);
    }
    return `${lines.join("\n").trim()}\n`;
  }
}

/** Text that Markdown takes literally, on one line. */
function literal(text) {
  return text.trim().replace(/\s+/g, " ").replace(/[\\`*_[\]<>|#~]/g, "\\$&");
}

function codes(warnings) {
  return warnings.length ? ` ⚠ ${warnings.map((w) => w.code).join(", ")}` : "";
}
