// What the page says of warnings and errors.

import { ConnectionLost, Refused } from "./stream.js";

/** What a severity means to the reader, with a sign that needs no colour. */
export const SEVERITIES = {
  hard: { sign: "▲", words: "Probably wrong", count: (n) => `${n} probably wrong` },
  soft: { sign: "◆", words: "Worth a look", count: (n) => `${n} worth a look` },
  notice: { sign: "●", words: "Note", count: (n) => `${n} ${n === 1 ? "note" : "notes"}` },
};

/** What each warning says. */
export const WARNINGS = {
  empty_translation: "The model gave no translation.",
  length_limit: "The translation was cut off by the length limit.",
  length_ratio: "The translation is far shorter or longer than the Dutch.",
  repetition: "Words are repeated that the Dutch does not repeat.",
  source_copied: "The Dutch sentence was copied instead of translated.",
  untranslated: "A part is still in Dutch.",
  unknown_piece: "Characters that the model does not know were garbled.",
  number_mismatch: "The numbers differ.",
  scale_mismatch: "Million, billion or trillion do not agree.",
  percent_mismatch: "The percentages differ.",
  currency_mismatch: "The currencies differ.",
  date_mismatch: "The dates differ.",
  url_mismatch: "A web address, handle or hashtag differs.",
  unsupported: "The article’s sentences do not carry this bullet.",
  name_mismatch: "Has a name that the article does not have.",
  boilerplate: "This is a phrase of the model, not of the article.",
  negation_missing: "The Dutch denies something; the English does not seem to.",
  name_missing: "Names could not be found in the English.",
  quotes_mismatch: "Quotation marks are missing or were added.",
  question_mismatch: "Only one of the two is a question.",
  source_elsewhere: "The article says this, but not in the sentences named.",
  hard_split: "A very long sentence was cut where no clause ends.",
  glossary_unapplied: "A term of the glossary could not be put in.",
  markup_dropped: "Formatting was left out: its words could not be found.",
  markup_moved: "An image or code moved to the end of the sentence.",
  source_language_suspect: "The text does not look Dutch.",
  already_english: "Was English already and is left as it was.",
  bullet_replaced: "The model’s bullet failed a check; this is a sentence of the article.",
  shortened: "Cut to keep the word limit.",
  repaired: "The first translation failed a check; this one passes.",
  whole_page: "The article could not be told from the rest of the page: all of it was translated.",
  demo_model:
    "Made by the demo model, which knows only the sample articles that come with Kortom. " +
    "What it makes of any other text is not a translation.",
};

/**
 * What went wrong, in words.
 *
 * @param {Error} error what was thrown
 * @param {boolean} begun whether a part of the answer has arrived
 * @returns {{heading: string, text: string, waitSeconds: number | null, id: string}}
 */
export function explain(error, begun) {
  const kept = begun
    ? "What has arrived stays below, and your article is still in the form."
    : "Your article is still in the form.";
  if (error instanceof ConnectionLost) {
    return {
      heading: begun ? "The connection was lost" : "The server can’t be reached",
      text: begun ? `The translation is not complete. ${kept}` : `Is it running? ${kept}`,
      waitSeconds: null,
      id: "",
    };
  }
  if (!(error instanceof Refused)) throw error;
  const { problem, retryAfterSeconds } = error;
  const [heading, text] = refusals(problem);
  return {
    heading,
    text: `${text} ${kept}`,
    waitSeconds: retryAfterSeconds,
    id: problem.instance ?? "",
  };
}

function refusals({ status, code, detail }) {
  const said = sentence(detail);
  if (code === "draining") return ["The server is restarting", "It will be back shortly."];
  switch (status) {
    case 401:
      return ["This server wants a key", "Ask whoever runs this server for one."];
    case 413:
      return ["The article is too long for this server", said];
    case 429:
      return ["Your share of this server is used up for the moment", said];
    case 502:
    case 503:
      return ["The server is busy", "It is working on as many articles as it can take."];
    case 504:
      return ["It took too long", said];
    case 400:
    case 415:
    case 422:
      return ["The server can’t use this article", said];
    default:
      return status >= 500
        ? ["The server failed on this article", said]
        : ["The server refused the article", said];
  }
}

/** A detail as a sentence. */
function sentence(detail) {
  if (!detail) return "";
  const text = detail[0].toUpperCase() + detail.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
