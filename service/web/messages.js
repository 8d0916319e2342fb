// What the page says above the form.

import { byId, make } from "./dom.js";

let countdown = 0;

/** Takes the message away. */
export function clearMessage() {
  clearInterval(countdown);
  byId("message").replaceChildren();
}

/**
 * Says something above the form.
 *
 * @param {string} heading in a few words
 * @param {string} text what it means
 * @param {{again?: string, waitSeconds?: number | null, id?: string, calm?: boolean}} more words of
 *   a button, #again, that sends the article again; how soon that may help; the id that the
 *   server's log has it under; whether nothing is wrong
 */
export function showMessage(heading, text, more = {}) {
  const { again = "", waitSeconds = null, id = "", calm = false } = more;
  clearMessage();
  const button = make("button", { type: "button", id: "again", text: again });
  byId("message").classList.toggle("calm", calm);
  const wait = make("p", { class: "wait", "aria-live": "off" });
  byId("message").append(
    make("h2", { text: heading }),
    make("p", { text }),
    ...(waitSeconds ? [wait] : []),
    ...(again ? [button] : []),
    ...(id ? [make("p", { class: "quiet", text: `Request ${id}` })] : []),
  );
  byId("message").scrollIntoView({ block: "nearest" });
  if (waitSeconds) {
    const until = performance.now() + waitSeconds * 1000;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      wait.textContent =
        left > 0
          ? `Try again in ${left} second${left === 1 ? "" : "s"}.`
          : "You can try again now.";
      if (left <= 0) clearInterval(countdown);
    };
    tick();
    countdown = setInterval(tick, 1000);
  }
}
