// The key that a server may want: kept for this tab alone, until it is closed or forgotten.

const NAME = "kortom-key";

/** Whether a key is kept. */
export function hasKey() {
  return sessionStorage.getItem(NAME) !== null;
}

/** Whether a text can be sent as a key: characters of ASCII without spaces (RFC 9110, 11.2). */
export function canBeKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

/** Keeps a key for the requests that follow. */
export function keepKey(text) {
  sessionStorage.setItem(NAME, text);
}

/** Keeps it no longer. */
export function forgetKey() {
  sessionStorage.removeItem(NAME);
}

/** The header of a request that says who asks; none without a key. */
export function keyHeader() {
  return hasKey() ? { Authorization: `Bearer ${sessionStorage.getItem(NAME)}` } : {};
}
