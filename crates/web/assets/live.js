// Lists that follow what one types and ticks. The form works without this: here its address is asked for in the
// background and one part of the answer is put in place.

/** How long to wait for the next key, milliseconds. */
const PAUSE_MS = 180;

/** @param {HTMLFormElement} form @returns {string} The address that sending the form would lead to, without empty values. */
function address(form) {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (typeof value === "string" && value.trim() !== "") query.append(name, value);
  }
  if (query.get("sort") === "newest") query.delete("sort");
  const text = query.toString();
  return text === "" ? form.getAttribute("action") : `${form.getAttribute("action")}?${text}`;
}

/** @param {HTMLFormElement} form */
function enliven(form) {
  const part = form.dataset.live;
  let timer = 0;
  let running = new AbortController();

  /** @param {string} url @param {boolean} remember */
  async function show(url, remember) {
    running.abort();
    running = new AbortController();
    const place = document.getElementById(part);
    try {
      place.dataset.busy = "";
      const answer = await fetch(url, { headers: { "x-part": part }, signal: running.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      put(place, html);
      tell(place);
      if (remember) history.replaceState(null, "", url);
      delete place.dataset.busy;
    } catch (error) {
      // Whatever went wrong, the plain way still works. What was overtaken by a newer question is no error.
      if (error.name !== "AbortError") location.assign(url);
    }
  }

  /** Puts the part in place; what was open stays open, what had the focus keeps it. */
  function put(place, html) {
    const open = new Map([...place.querySelectorAll("details[id]")].map((one) => [one.id, one.open]));
    const ticked = place.querySelector("#show-filters")?.checked;
    const scrolled = new Map([...place.querySelectorAll("details[id] > .pick")].map((one) => [one.parentElement.id, one.scrollTop]));
    const compared = new Set([...place.querySelectorAll(".tick input:checked")].map((one) => one.value));
    const focus = place.contains(document.activeElement) ? document.activeElement.id : "";
    place.innerHTML = html;
    for (const one of place.querySelectorAll("details[id]")) {
      if (open.has(one.id)) one.open = open.get(one.id);
      const pick = one.querySelector(".pick");
      if (pick && scrolled.has(one.id)) pick.scrollTop = scrolled.get(one.id);
    }
    // What is ticked to be compared stays ticked while it is in the list.
    for (const one of place.querySelectorAll(".tick input")) one.checked = compared.has(one.value);
    const toggle = place.querySelector("#show-filters");
    if (toggle && ticked) toggle.checked = true;
    if (focus !== "") document.getElementById(focus)?.focus({ preventScroll: true });
  }

  /** What the part says of a field (data-of) is said beside it too (data-for). */
  function tell(place) {
    for (const beside of form.querySelectorAll("[data-for]")) {
      const said = [...place.querySelectorAll(`[data-of="${beside.dataset.for}"]`)];
      beside.textContent = said.map((one) => one.textContent).join(" ");
      for (const field of form.querySelectorAll(`[name="${beside.dataset.for}"]`)) {
        if (said.length > 0) field.setAttribute("aria-invalid", "true");
        else field.removeAttribute("aria-invalid");
      }
    }
  }

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(address(form), true), PAUSE_MS);
  };
  // Filters stand outside the form and name it, so both are heard here.
  document.addEventListener("input", (event) => {
    if (event.target.form === form) soon();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show(address(form), true);
  });
}

document.querySelectorAll("form[data-live]").forEach(enliven);
