// A call of the gateway as it comes in: server-sent events from a fetch reader, chunk by chunk into a message.

/** What went wrong with a call, in the words of whoever refused it. */
class Refusal extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

const text = (value) => (typeof value === "string" ? value : "");

async function refusal(answer) {
  const body = await answer.json().catch(() => null);
  return new Refusal(text(body?.error?.message) || `The gateway answered ${answer.status}.`, answer.status);
}

/** A new message that a stream fills. */
function blank() {
  return { role: "assistant", content: "", reasoning: "", details: [], calls: [], images: [], finish: "", error: "", isStopped: false, meta: { id: "" } };
}

/** Streams an answer into a message; `changed` is called whenever there is more of it. */
async function stream(call, message, changed) {
  const began = performance.now();
  const answer = await fetch("/v1/chat/completions", {
    method: "POST",
    // A cookie has no say in calls of models.
    credentials: "omit",
    headers: { authorization: `Bearer ${call.key}`, "content-type": "application/json", ...call.headers },
    body: JSON.stringify(call.body),
    signal: call.signal,
  });
  message.meta.id = text(answer.headers.get("x-generation-id"));
  if (!answer.ok) throw await refusal(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let isWhole = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    rest += value.replaceAll("\r\n", "\n");
    const events = rest.split("\n\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
      if (data === "[DONE]") isWhole = true;
      else if (data !== "") take(message, parsed(data), call.slug);
    }
    const isFirst = message.meta.first_ms === undefined && (message.content !== "" || message.reasoning !== "" || message.calls.length > 0);
    if (isFirst) message.meta.first_ms = performance.now() - began;
    message.meta.total_ms = performance.now() - began;
    changed();
  }
  if (!isWhole) throw new Refusal("The stream broke off before its end.");
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new Refusal("A piece of the stream could not be read.");
  }
}

/** Adds a chunk to a message. Nothing of it is trusted to have the shape that it should. */
function take(message, chunk, slug) {
  if (chunk?.error) throw new Refusal(text(chunk.error.message) || "The provider failed.");
  const { meta } = message;
  meta.id = text(chunk?.id) || meta.id;
  meta.model = text(chunk?.model) || meta.model;
  meta.provider = text(chunk?.provider) || meta.provider;
  if (chunk?.usage) meta.usage = chunk.usage;
  if (chunk?.[slug]) meta.route = chunk[slug];
  if (Array.isArray(chunk?.warnings)) meta.warnings = chunk.warnings.map((one) => text(one?.message)).filter(Boolean);
  const choice = chunk?.choices?.[0];
  message.finish = text(choice?.finish_reason) || message.finish;
  const delta = choice?.delta;
  if (!delta) return;
  message.content += text(delta.content);
  message.reasoning += text(delta.reasoning ?? delta.reasoning_content);
  for (const one of listOf(delta.reasoning_details)) detail(message.details, one);
  for (const one of listOf(delta.images)) message.images.push(text(one?.image_url?.url));
  for (const one of listOf(delta.tool_calls)) {
    const at = Number.isInteger(one?.index) && one.index >= 0 && one.index < 64 ? one.index : 0;
    const call = (message.calls[at] ??= { id: "", name: "", arguments: "" });
    call.id = text(one?.id) || call.id;
    call.name += text(one?.function?.name);
    call.arguments += text(one?.function?.arguments);
  }
}

const listOf = (value) => (Array.isArray(value) ? value : []);

/** Reasoning that a provider wants back as it was: pieces of the same part are put together. */
function detail(all, piece) {
  if (typeof piece !== "object" || piece === null) return;
  const known = all.find((one) => one.index === piece.index && one.type === piece.type);
  if (!known || piece.index === undefined) all.push({ ...piece });
  else for (const [name, value] of Object.entries(piece)) known[name] = ["text", "summary"].includes(name) ? text(known[name]) + text(value) : value;
}

/** The gateway's record of a call: it is there within a second of the last byte. */
async function record(key, id) {
  for (const wait of [1, 2, 4, 8, 16, 32, 64]) {
    await new Promise((done) => setTimeout(done, wait * 250));
    const answer = await fetch(`/v1/generation?id=${encodeURIComponent(id)}`, { credentials: "omit", headers: { authorization: `Bearer ${key}` } }).catch(() => null);
    if (answer?.ok) return (await answer.json()).data ?? null;
    if (answer && answer.status !== 404) return null;
  }
  return null;
}
