// What the playground draws. Models' words, names and errors are set as text; markdown() is the one way to more.

function button(name, act, kind = "") {
  const one = make("button", name, kind);
  one.type = "button";
  one.addEventListener("click", () => tried(act));
  return one;
}

function showAll() {
  showPast();
  showModels();
  for (const name of SETTINGS) $(`set-${name}`).value = state.now.settings[name];
  $("turns").replaceChildren(...state.now.turns.map((_, at) => turnOf(at)));
  showFiles();
  showRunning();
}

function showPast() {
  const option = (one, name) => Object.assign(make("option", name), { value: one.id });
  const others = state.past.filter((one) => one.id !== state.now.id);
  $("past").replaceChildren(option(state.now, state.now.title || "New conversation"), ...others.map((one) => option(one, one.title || "Without a title")));
  const isEmpty = state.now.turns.length === 0;
  for (const id of ["save-json", "save-markdown", "drop"]) $(id).disabled = isEmpty;
  $("wipe").disabled = state.past.length === 0;
  $("chat-empty").hidden = !isEmpty;
}

function showModels() {
  const field = (name, place) => {
    const label = make("label", "", "field");
    const input = Object.assign(make("input"), { value: name, autocomplete: "off", spellcheck: false, placeholder: "author/model" });
    input.setAttribute("list", "models");
    input.addEventListener("input", () => (state.now.models[place] = input.value));
    input.addEventListener("focus", () => input.select());
    label.append(make("span", state.now.models.length > 1 ? `Model ${place + 1}` : "Model"), input);
    return label;
  };
  const remove = (place) => {
    const one = button("×", () => {
      state.now.models.splice(place, 1);
      for (const turn of state.now.turns) turn.answers.splice(place, 1);
      stop();
      showAll();
    });
    one.setAttribute("aria-label", `Remove model ${place + 1}`);
    return one;
  };
  const columns = state.now.models.map((name, place) => {
    const column = make("div", "", "chat-model");
    column.append(field(name, place));
    if (state.now.models.length > 1) column.append(remove(place));
    return column;
  });
  $("chosen").replaceChildren(...columns);
  $("add").disabled = state.now.models.length >= MODELS_MAX;
}

function showFiles() {
  const chip = ({ name }, at) => button(`${name} ×`, () => {
    state.files.splice(at, 1);
    showFiles();
  }, "tag");
  $("files").replaceChildren(...state.files.map(chip));
}

function showRunning() {
  $("stop").hidden = state.running.size === 0;
  $("send").hidden = state.running.size > 0;
  $("turns").setAttribute("aria-busy", String(state.running.size > 0));
}

/** A question with its answers. */
function turnOf(at) {
  const turn = state.now.turns[at];
  const wholeTurn = make("li", "", "chat-turn");
  const said = make("div", "", "chat-said");
  said.append(make("p", turn.text));
  for (const { name, url } of turn.files) {
    if (!PICTURE.test(url)) said.append(make("span", name, "tag"));
    else said.append(Object.assign(make("img"), { src: url, alt: name }));
  }
  const acts = make("p", "", "chat-acts");
  acts.append(button("Fork from here", () => fork(at)));
  said.append(acts);
  const answers = make("div", "", `chat-answers of-${Math.max(state.now.models.length, turn.answers.length)}`);
  state.now.models.forEach((_, place) => answers.append(answerOf(at, place)));
  wholeTurn.append(said, answers);
  return wholeTurn;
}

function showAnswer(turn, place) {
  const old = $(`answer-${turn}-${place}`);
  // Somebody who types a tool's result, or reads with the keyboard, is not interrupted.
  if (old && !(old.contains(document.activeElement) && old.querySelector("textarea"))) old.replaceWith(answerOf(turn, place));
}

function answerOf(turn, place) {
  const card = make("article", "", "chat-answer");
  card.id = `answer-${turn}-${place}`;
  const answer = state.now.turns[turn].answers[place];
  // Its model joined later.
  card.hidden = !answer;
  if (!answer) return card;
  const isRunning = state.running.has(`${turn}:${place}`);
  card.append(make("h2", answer.model, "chat-name"));
  answer.steps.forEach((step, at) => {
    if (step.role === "tool") card.append(...step.results.map((one) => boxed("Result", one.text)));
    else card.append(...stepOf(step, isRunning && at === answer.steps.length - 1, `${turn}-${place}-${at}`));
  });
  const last = answer.steps.at(-1);
  if (!isRunning && last?.calls?.length > 0 && last.error === "" && !last.isStopped) card.append(resultsOf(turn, place, last.calls));
  const acts = make("p", "", "chat-acts");
  if (isRunning) acts.append(button("Stop this one", () => state.running.get(`${turn}:${place}`)?.abort()));
  else if (turn === state.now.turns.length - 1) acts.append(button("Retry", () => again(turn, place)));
  card.append(acts);
  return card;
}

function again(turn, place) {
  needKey();
  state.now.turns[turn].answers[place] = undefined;
  return run(turn, place);
}

/** One message of a model. */
function stepOf(step, isRunning, name) {
  const parts = [];
  if (step.reasoning !== "") {
    const box = make("details", "", "chat-reasoning");
    // Open while there is nothing else to read.
    box.open = opened.get(name) ?? (isRunning && step.content === "");
    box.addEventListener("toggle", () => !isRunning && opened.set(name, box.open));
    const inner = make("div", "", "chat-text");
    inner.append(markdown(step.reasoning));
    box.append(make("summary", "Reasoning"), inner);
    parts.push(box);
  }
  if (step.content !== "") {
    parts.push(make("div", "", "chat-text"));
    parts.at(-1).append(markdown(step.content));
  }
  for (const url of step.images.filter((one) => PICTURE.test(one))) parts.push(Object.assign(make("img"), { src: url, alt: "Picture by the model" }));
  for (const call of step.calls) parts.push(boxed(`Calls ${call.name}`, call.arguments));
  if (isRunning && parts.length === 0) parts.push(make("p", "Waiting …", "quiet"));
  if (step.isStopped) parts.push(make("p", "Stopped.", "quiet"));
  if (step.error !== "") {
    parts.push(Object.assign(make("p", step.error, "note bad"), { role: "alert" }));
  }
  if (!isRunning) parts.push(...figures(step));
  return parts;
}

/** Which reasoning was opened or closed by hand. */
const opened = new Map();

function boxed(name, content) {
  const box = make("figure", "", "code");
  const block = make("pre");
  block.tabIndex = 0;
  block.append(make("code", content));
  box.append(make("figcaption", name), block);
  return box;
}

/** Where the results of tools are typed in. */
function resultsOf(turn, place, calls) {
  const form = make("form", "", "chat-results");
  const fields = calls.map((call) => {
    const label = make("label", "", "field");
    const input = Object.assign(make("textarea"), { rows: 2 });
    label.append(make("span", `Result of ${call.name}`), input);
    form.append(label);
    return input;
  });
  form.append(make("button", "Send"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const results = calls.map((call, at) => ({ id: call.id, text: fields[at].value }));
    state.now.turns[turn].answers[place].steps.push({ role: "tool", results });
    document.activeElement?.blur();
    void tried(() => run(turn, place));
  });
  return form;
}

const milliseconds = (value) => (Number.isFinite(value) ? (value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(2)} s`) : "");
const counted = (value) => (Number.isFinite(value) ? value.toLocaleString("en-US") : "");

/** Dollars with all their digits, never as 1e-7. */
function dollars(meta) {
  const exact = text(meta.record?.total_cost);
  const told = exact !== "" ? exact : Number.isFinite(meta.usage?.cost) ? meta.usage.cost.toFixed(9) : "";
  return told === "" ? "" : `$${told.includes(".") ? told.replace(/0+$/, "").replace(/\.$/, "") : told}`;
}

/** What an answer cost and took, and why it came from where it did. */
function figures({ meta, finish }) {
  const usage = meta.usage ?? {};
  const input = counted(usage.prompt_tokens);
  const cached = usage.prompt_tokens_details?.cached_tokens;
  const reasoning = usage.completion_tokens_details?.reasoning_tokens;
  const known = meta.record ?? {};
  const endpoint = text(known.endpoint) || text(meta.route?.endpoint);
  const rows = [
    ["Cost", dollars(meta)],
    ["Tokens in", cached > 0 ? `${input} (${counted(cached)} cached)` : input],
    ["Tokens out", reasoning > 0 ? `${counted(usage.completion_tokens)} (${counted(reasoning)} reasoning)` : counted(usage.completion_tokens)],
    ["First token", milliseconds(known.ttft_ms ?? meta.first_ms)],
    ["Total", milliseconds(known.duration_ms ?? meta.total_ms)],
    ["Answered by", endpoint],
    ["Ended", finish === "" || finish === "stop" ? "" : finish],
  ].filter(([, value]) => value !== "");
  if (rows.length === 0) return [];
  const list = make("dl", "", "chat-figures");
  for (const [name, value] of rows) list.appendChild(make("div")).append(make("dt", name), make("dd", value));
  return [list, ...why(meta, endpoint)];
}

function why(meta, endpoint) {
  const steps = listOf(meta.route?.plan?.steps);
  const chosen = steps.find((one) => one?.endpoint === endpoint);
  const lines = chosen ? [`${chosen.endpoint}: ${text(chosen.reason)}`] : [];
  for (const one of listOf(meta.route?.attempts).filter((one) => text(one?.outcome) !== "ok")) lines.push(`${text(one?.endpoint)} was tried and failed: ${text(one?.outcome)}`);
  const others = steps.filter((one) => one !== chosen).slice(0, 5);
  lines.push(...others.map((one) => `Next would have been ${text(one?.endpoint)}: ${text(one?.reason)}`));
  lines.push(...listOf(meta.warnings).map((one) => `Warning: ${text(one)}`));
  if (lines.length === 0) return [];
  const box = make("details", "", "chat-why");
  const list = make("ul");
  list.append(...lines.map((line) => make("li", line)), make("li", `Generation ${meta.id}`));
  box.append(make("summary", "Why there"), list);
  return [box];
}

function listen() {
  const on = (id, event, act) => $(id).addEventListener(event, (happened) => tried(() => act(happened)));
  on("ask", "submit", (event) => {
    event.preventDefault();
    ask();
  });
  on("say", "keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || state.running.size > 0) return;
    event.preventDefault();
    ask();
  });
  on("stop", "click", stop);
  on("new", "click", fresh);
  on("drop", "click", drop);
  on("wipe", "click", wipe);
  on("past", "change", () => {
    const found = state.past.find((one) => one.id === $("past").value);
    if (found) open(found);
  });
  on("add", "click", () => {
    state.now.models.push("");
    stop();
    showAll();
    $("chosen").lastElementChild.querySelector("input").focus();
  });
  on("attach", "change", async () => {
    const picked = [...$("attach").files];
    $("attach").value = "";
    for (const one of picked) state.files.push(await attached(one));
    showFiles();
  });
  on("bring", "change", async () => {
    const [picked] = $("bring").files;
    $("bring").value = "";
    if (picked) await bring(picked);
  });
  on("save-json", "click", () => save("conversation.json", "application/json", JSON.stringify(state.now, null, 2)));
  on("save-markdown", "click", () => save("conversation.md", "text/markdown", asMarkdown(state.now)));
  for (const name of SETTINGS) on(`set-${name}`, "input", () => (state.now.settings[name] = $(`set-${name}`).value));
}
