// The playground: one conversation at a time, asked of up to four models side by side.

const root = document.getElementById("chat");
const { owner, slug, prefix } = root.dataset;
const MODELS_MAX = 4;
const $ = (id) => document.getElementById(id);

/** What is on the screen. `running` has the calls under way, by `turn:place`. */
const state = { now: whole({}), past: [], files: [], running: new Map(), history: null };

/** The key of this tab: of whoever is signed in, and gone with the tab. */
function key() {
  const kept = JSON.parse(sessionStorage.getItem("chat-key") ?? "null");
  return kept?.owner === owner ? kept : null;
}

function needKey() {
  if (key() === null) throw new Refusal("Make a key first, or paste one of your own.");
}

function keepKey(value, about, isOwn = false) {
  if (value === "") sessionStorage.removeItem("chat-key");
  else sessionStorage.setItem("chat-key", JSON.stringify({ owner, value, about, isOwn }));
  showKey();
}

function showKey() {
  const kept = key();
  $("key-now").hidden = kept === null;
  $("key-none").hidden = kept !== null;
  $("key-end").hidden = kept?.isOwn === true;
  $("key-about").textContent = kept ? `${kept.about} (…${kept.value.slice(-4)})` : "";
}

function beginKey() {
  const made = $("made-key");
  if (made) {
    keepKey(made.textContent.trim(), made.dataset.about);
    $("made").remove();
    // A reload must not send the form once more.
    history.replaceState(null, "", "/chat");
  }
  $("own-use").addEventListener("click", () => {
    const value = $("own-key").value.trim();
    $("own-key").value = "";
    if (value !== "") keepKey(value, "A key of your own", true);
  });
  $("key-end").addEventListener("submit", () => keepKey("", ""));
  $("key-forget").addEventListener("click", () => keepKey("", ""));
  showKey();
}

/** The value of a number field; nothing when it is empty. */
const number = (value) => (value.trim() === "" ? undefined : Number(value));

function parsedField(name) {
  const value = state.now.settings[name].trim();
  if (value === "") return undefined;
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new Refusal(`What stands for ${name === "tools" ? "tools" : "the schema"} is no JSON: ${error.message}`);
  }
}

/** The messages that a place's model is sent for a turn. A model that joined later reads what the first one answered. */
function messages(turn, place) {
  const { settings, turns } = state.now;
  const all = settings.system.trim() === "" ? [] : [{ role: "system", content: settings.system }];
  for (const one of turns.slice(0, turn + 1)) {
    all.push({ role: "user", content: contentOf(one) });
    const steps = (one.answers[place] ?? (one === turns[turn] ? null : one.answers[0]))?.steps ?? [];
    for (const step of steps) all.push(...spoken(step));
  }
  return all;
}

function contentOf(turn) {
  if (turn.files.length === 0) return turn.text;
  const part = ({ name, url }) => (PICTURE.test(url) ? { type: "image_url", image_url: { url } } : { type: "file", file: { filename: name, file_data: url } });
  return [{ type: "text", text: turn.text }, ...turn.files.map(part)];
}

function spoken(step) {
  if (step.role === "tool") return step.results.map((one) => ({ role: "tool", tool_call_id: one.id, content: one.text }));
  if (step.content === "" && step.calls.length === 0) return [];
  const message = { role: "assistant", content: step.content === "" ? null : step.content };
  if (step.calls.length > 0) message.tool_calls = step.calls.map((call) => ({ id: call.id, type: "function", function: { name: call.name, arguments: call.arguments } }));
  if (step.details.length > 0) message.reasoning_details = step.details;
  return [message];
}

/** The call of a place's model for a turn. */
function call(turn, place) {
  const { settings } = state.now;
  const body = { model: state.now.models[place].trim(), messages: messages(turn, place), stream: true, session_id: `${state.now.id}-${place}` };
  for (const name of ["temperature", "max_tokens", "top_p"]) body[name] = number(settings[name]);
  if (settings.effort !== "") body.reasoning = { effort: settings.effort };
  const order = settings.providers.split(/[\s,]+/).filter(Boolean);
  if (order.length > 0) body.provider = { order };
  body.tools = parsedField("tools");
  const schema = parsedField("schema");
  if (schema !== undefined) body.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema } };
  const headers = { [`${prefix}-Metadata`]: "enabled" };
  if (settings.preference !== "") headers[`${prefix}-Preference`] = settings.preference;
  if (settings.dial !== "") headers[`${prefix}-Cost-Quality`] = settings.dial;
  return { body, headers };
}

/** Asks one model, and shows what comes as it comes. */
async function run(turn, place) {
  const conversation = state.now;
  const name = `${turn}:${place}`;
  const kept = key();
  const asked = call(turn, place);
  const answer = (conversation.turns[turn].answers[place] ??= { model: asked.body.model, steps: [] });
  answer.model = asked.body.model;
  const message = blank();
  answer.steps.push(message);
  const control = new AbortController();
  state.running.set(name, control);
  showRunning();
  const isShown = () => conversation === state.now;
  const paint = paced(() => isShown() && showAnswer(turn, place));
  paint();
  try {
    await stream({ ...asked, key: kept.value, slug, signal: control.signal }, message, paint);
  } catch (error) {
    if (error.name === "AbortError") message.isStopped = true;
    else message.error = error instanceof Refusal ? error.message : "The gateway could not be reached.";
    if (error.status === 401) keepKey("", "");
  }
  state.running.delete(name);
  showRunning();
  if (isShown()) showAnswer(turn, place);
  await keep(conversation);
  const known = message.meta.id === "" ? null : await record(kept.value, message.meta.id);
  if (known === null) return;
  message.meta.record = known;
  if (isShown()) showAnswer(turn, place);
  await keep(conversation);
}

/** At most one call per frame of the screen. */
function paced(act) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      act();
    });
  };
}

function problem(message) {
  $("chat-problem").textContent = message;
  $("chat-problem").hidden = message === "";
}

/** Does something that may be refused, and says why. */
async function tried(act) {
  problem("");
  try {
    await act();
  } catch (error) {
    problem(error instanceof Refusal ? error.message : String(error.message ?? error));
  }
}

function ask() {
  const said = $("say").value;
  needKey();
  if (said.trim() === "" && state.files.length === 0) throw new Refusal("Write something first.");
  const { now } = state;
  if (now.models.some((one) => one.trim() === "")) throw new Refusal("Choose a model, or remove its column.");
  parsedField("tools");
  parsedField("schema");
  if (now.title === "") now.title = said.trim().slice(0, 80) || state.files[0].name;
  now.turns.push({ text: said, files: state.files, answers: [] });
  $("say").value = "";
  state.files = [];
  showFiles();
  const turn = now.turns.length - 1;
  $("turns").append(turnOf(turn));
  for (let place = 0; place < now.models.length; place += 1) void run(turn, place);
  $("turns").lastElementChild.scrollIntoView({ block: "nearest" });
  showPast();
}

async function keep(conversation) {
  conversation.updated = Date.now();
  const kept = state.past.filter((one) => one.id !== conversation.id);
  state.past = [conversation, ...kept];
  showPast();
  await state.history?.keep(conversation).catch(() => problem("The conversation could not be kept."));
}

function open(conversation) {
  stop();
  state.now = conversation;
  showAll();
}

function fresh() {
  const { models, settings } = state.now;
  open(whole({ models, settings }));
  $("say").focus();
}

/** Another conversation that begins like this one, up to a turn. */
async function fork(turn) {
  const copy = whole(structuredClone({ ...state.now, turns: state.now.turns.slice(0, turn + 1) }));
  copy.id = crypto.randomUUID();
  copy.title = `${copy.title} (fork)`.slice(0, 120);
  open(copy);
  await keep(copy);
}

function stop() {
  for (const control of state.running.values()) control.abort();
}

async function drop() {
  await state.history?.drop(state.now.id);
  state.past = state.past.filter((one) => one.id !== state.now.id);
  fresh();
}

async function wipe() {
  if (!confirm("Wipe all conversations from this browser? They are kept nowhere else.")) return;
  await state.history?.wipe();
  state.past = [];
  fresh();
}

async function bring(picked) {
  const found = await picked.text().then(JSON.parse).catch(() => null);
  if (found?.form !== FORM) throw new Refusal(`${picked.name} is no exported conversation.`);
  const brought = whole({ ...found, id: crypto.randomUUID() });
  open(brought);
  await keep(brought);
}

async function begin() {
  beginKey();
  listen();
  try {
    state.history = new History(owner);
    state.past = await state.history.all();
  } catch {
    state.history = null;
    problem("This browser keeps no conversations; they end with the tab.");
  }
  state.now = whole({ models: [new URLSearchParams(location.search).get("model") ?? root.dataset.model] });
  if (state.past.length > 0) state.now.settings = { ...state.past[0].settings };
  showAll();
  root.dataset.ready = "";
}

begin();
