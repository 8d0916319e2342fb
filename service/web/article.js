// What is submitted: how it is written, how long it is, and files that hold it.

/** Of files that the server takes apart. */
const DOCUMENT = /\.(docx|odt|epub|pdf)$/i;
const FORMATS = [
  [/\.(html?|xhtml)$/i, "html"],
  [/\.(md|markdown)$/i, "markdown"],
  [/\.(txt|text)$/i, "text"],
];

/** A sentence for the reader about what they gave. */
export class Unusable extends Error {}

/** As much of a text as shows how it is written. */
const HEAD_CHARACTERS = 20_000;

/** How a text looks to be written: html, markdown or text. */
export function detectFormat(whole) {
  const text = whole.slice(0, HEAD_CHARACTERS);
  if (/^\s*<(!doctype html|html)\b/i.test(text)) return "html";
  if (/<(p|div|article|section|h[1-6]|ul|ol|table|blockquote)\b[^<]*>[^]*<\/\1>/i.test(text)) {
    return "html";
  }
  if (/^#{1,6} \S/m.test(text)) return "markdown";
  const marks = [/^```/m, /^> \S/m, /\[[^\]\n]+\]\([^)\s]+\)/, /\*\*\S[^*\n]*\*\*/];
  return marks.filter((mark) => mark.test(text)).length > 1 ? "markdown" : "text";
}

/** Length in code points, which is how the server counts. */
export function countCharacters(text) {
  let pairs = 0;
  for (let i = 0; i < text.length; i += 1) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800) pairs += 1;
  }
  return text.length - pairs;
}

/** What stands between the marks that browsers put around what was copied. */
export function copiedFragment(html) {
  return /<!--StartFragment-->([^]*)<!--EndFragment-->/.exec(html)?.[1] ?? html;
}

/**
 * Reads a file that was chosen or dropped.
 *
 * @param {File} file the file
 * @param {number} maxBytes largest body that the server takes
 * @returns {Promise<{text?: string, format?: string, document?: File}>} text with its format (auto
 *   if its name does not tell), or a document for the server to read
 * @throws {Unusable} too large, not readable, or not text
 */
export async function readFile(file, maxBytes) {
  if (file.size > maxBytes) {
    throw new Unusable(
      `${file.name} is ${megabytes(file.size)}; this server takes at most ${megabytes(maxBytes)}.`,
    );
  }
  if (DOCUMENT.test(file.name)) return { document: file };
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Unusable(`${file.name} can’t be read. Is it a folder?`);
  }
  const text = decode(bytes);
  // Control characters, but for tab, line feed, form feed and carriage return.
  if (/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text)) {
    throw new Unusable(
      `${file.name} is not text. Articles come as text, HTML, Markdown, Word (.docx), ` +
        "OpenDocument (.odt), EPUB or PDF.",
    );
  }
  const known = FORMATS.find(([suffix]) => suffix.test(file.name));
  return { text, format: known ? known[1] : "auto" };
}

/** A size in words. */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}

function decode(bytes) {
  const mark = (bytes[0] << 8) | bytes[1];
  const head = new TextDecoder("windows-1252").decode(bytes.subarray(0, 1024));
  const declared = /<meta\b[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)/i.exec(head)?.[1];
  const marked = { 0xfffe: "utf-16le", 0xfeff: "utf-16be" }[mark];
  const encodings = marked ? [marked] : ["utf-8", declared];
  for (const encoding of encodings.filter(Boolean)) {
    try {
      return new TextDecoder(encoding, { fatal: true }).decode(bytes);
    } catch {
      // The next one, then.
    }
  }
  return new TextDecoder("windows-1252").decode(bytes);
}
