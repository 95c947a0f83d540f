// The log follows what comes in: every few seconds the newest rows are asked for, and those that are not there yet are put on top.
// Without this a reload does the same.

/** How long between two questions, milliseconds. */
const PAUSE_MS = 3000;
/** Most rows that stay on the page. */
const ROWS_MAX = 200;

const place = document.getElementById("tail");
const body = document.getElementById("log");

/** @param {string} html @returns {HTMLTableRowElement[]} */
function rowsOf(html) {
  const template = document.createElement("template");
  template.innerHTML = `<table><tbody>${html}</tbody></table>`;
  return [...template.content.querySelectorAll("tr")];
}

/** Puts what is new on top. @returns {number} How many that were. */
function put(html) {
  const fresh = rowsOf(html).filter((row) => !document.getElementById(row.id));
  for (const row of fresh) row.classList.add("is-new");
  body.prepend(...fresh);
  while (body.rows.length > ROWS_MAX) body.rows[body.rows.length - 1].remove();
  if (fresh.length > 0) document.getElementById("log-place").hidden = false;
  return fresh.length;
}

function enliven() {
  const url = place.dataset.tail;
  const button = document.createElement("button");
  button.type = "button";
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  let timer = 0;
  let seen = 0;

  const show = () => {
    button.textContent = timer ? "Pause" : "Follow live";
    button.setAttribute("aria-pressed", String(timer !== 0));
  };
  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(url, { headers: { "x-part": "log" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      seen += put(await answer.text());
      said.textContent = seen === 0 ? "Waiting for calls" : seen === 1 ? "1 new call" : `${seen} new calls`;
    } catch {
      // The next question may be answered; a reload says what is wrong.
      said.textContent = "The server does not answer; trying again";
    }
  }
  button.addEventListener("click", () => {
    if (timer) {
      clearInterval(timer);
      timer = 0;
    } else {
      timer = setInterval(look, PAUSE_MS);
      look();
    }
    show();
  });
  show();
  place.append(" ", button, " ", said);
}

if (place && body) enliven();
