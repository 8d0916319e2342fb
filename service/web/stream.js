// Reads the event stream of POST /v1/articles (EventSource can't POST).

/** The server sends a comment every 10 s; after three that are missing nobody is there. */
const SILENCE_MS = 35_000;

/** The server said no, in problem+json (RFC 9457). */
export class Refused extends Error {
  /**
   * @param {object} problem the problem document
   * @param {number | null} retryAfterSeconds when to come back, if the server said
   */
  constructor(problem, retryAfterSeconds) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The connection could not be made or broke before the end. */
export class ConnectionLost extends Error {}

/**
 * Posts a request and yields its events as they arrive, `{name, data}`, the last one `done`.
 *
 * @param {string} url where to post, relative to the page
 * @param {RequestInit} request body and headers
 * @param {AbortSignal} signal ends it
 * @throws {Refused} the server refused the request, or failed on it in mid-stream
 * @throws {ConnectionLost} no connection, or an end before `done`
 * @throws {DOMException} AbortError: `signal` was used
 */
export async function* stream(url, request, signal) {
  const quiet = new AbortController();
  const either = AbortSignal.any([signal, quiet.signal]);
  let timer = 0;
  try {
    const response = await fetch(url, {
      ...request,
      method: "POST",
      headers: { ...request.headers, Accept: "text/event-stream" },
      cache: "no-store",
      signal: either,
    });
    if (!response.ok) throw await refusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let name = "";
    for (;;) {
      timer = setTimeout(() => quiet.abort(), SILENCE_MS);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) throw new ConnectionLost();
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("event: ")) name = line.slice(7);
        if (!line.startsWith("data: ")) continue;
        const data = JSON.parse(line.slice(6));
        if (name === "error") throw new Refused(data, null);
        yield { name, data };
        if (name === "done") return;
      }
    }
  } catch (error) {
    if (error instanceof Refused || signal.aborted) throw error;
    throw new ConnectionLost("", { cause: error });
  } finally {
    clearTimeout(timer);
    quiet.abort();
  }
}

async function refusal(response) {
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  let problem;
  try {
    problem = await response.json();
  } catch {
    // Not Kortom but something in front of it.
    problem = { status: response.status, code: "", detail: response.statusText };
  }
  return new Refused(problem, Number.isNaN(seconds) ? null : seconds);
}
