// Conversations, kept in this browser and nowhere else: an IndexedDB per person, files to and from it.

/** Largest picture or document, bytes. */
const FILE_MAX = 8 * 1024 * 1024;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;
const DOCUMENT = /^data:application\/pdf;base64,[A-Za-z0-9+/=]+$/;
const FORM = "chat 1";
const SETTINGS = ["system", "temperature", "max_tokens", "top_p", "effort", "preference", "dial", "providers", "tools", "schema"];

class History {
  constructor(owner) {
    this.opened = new Promise((done, fail) => {
      const asked = indexedDB.open(`chat ${owner}`, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("conversations", { keyPath: "id" });
      asked.onsuccess = () => done(asked.result);
      asked.onerror = () => fail(asked.error);
    });
  }

  async run(mode, act) {
    const base = await this.opened;
    return new Promise((done, fail) => {
      const work = base.transaction("conversations", mode);
      const asked = act(work.objectStore("conversations"));
      work.oncomplete = () => done(asked.result);
      work.onerror = work.onabort = () => fail(work.error);
    });
  }

  /** All of them, the newest first. */
  async all() {
    const found = await this.run("readonly", (all) => all.getAll());
    return found.map(whole).sort((a, b) => b.updated - a.updated);
  }

  keep(conversation) {
    return this.run("readwrite", (all) => all.put(structuredClone(conversation)));
  }

  drop(id) {
    return this.run("readwrite", (all) => all.delete(id));
  }

  wipe() {
    return this.run("readwrite", (all) => all.clear());
  }
}

/** A conversation out of anything: a file that somebody was sent is no more trusted than an answer. */
function whole(value) {
  const settings = {};
  for (const name of SETTINGS) settings[name] = text(value?.settings?.[name]);
  const models = listOf(value?.models).map(text).slice(0, 4);
  return {
    form: FORM,
    id: text(value?.id) || crypto.randomUUID(),
    title: text(value?.title).slice(0, 120),
    updated: Number.isFinite(value?.updated) ? value.updated : Date.now(),
    models: models.length > 0 ? models : [""],
    settings,
    turns: listOf(value?.turns).map((turn) => ({ text: text(turn?.text), files: listOf(turn?.files).map(file).filter(Boolean), answers: listOf(turn?.answers).slice(0, 4).map(answer) })),
  };
}

function file(value) {
  const url = text(value?.url);
  const isKnown = PICTURE.test(url) || DOCUMENT.test(url);
  return isKnown ? { name: text(value?.name).slice(0, 200), url } : null;
}

function answer(value) {
  return { model: text(value?.model), steps: listOf(value?.steps).map(step) };
}

function step(value) {
  if (value?.role === "tool") return { role: "tool", results: listOf(value.results).map((one) => ({ id: text(one?.id), text: text(one?.text) })) };
  const one = blank();
  for (const name of ["content", "reasoning", "finish", "error"]) one[name] = text(value?.[name]);
  one.isStopped = value?.isStopped === true;
  one.details = listOf(value?.details);
  one.images = listOf(value?.images).filter((url) => PICTURE.test(text(url)));
  one.calls = listOf(value?.calls).map((call) => ({ id: text(call?.id), name: text(call?.name), arguments: text(call?.arguments) }));
  one.meta = typeof value?.meta === "object" && value.meta !== null ? value.meta : { id: "" };
  return one;
}

function attached(picked) {
  return new Promise((done, fail) => {
    if (picked.size > FILE_MAX) return fail(new Refusal(`${picked.name} is larger than 8 MB.`));
    const reader = new FileReader();
    reader.onerror = () => fail(new Refusal(`${picked.name} could not be read.`));
    reader.onload = () => {
      const found = file({ name: picked.name, url: reader.result });
      return found ? done(found) : fail(new Refusal(`${picked.name} is no PNG, JPEG, GIF, WebP or PDF.`));
    };
    reader.readAsDataURL(picked);
  });
}

/** Lets the browser save a text as a file. */
function save(name, type, content) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A conversation for people: as Markdown. */
function asMarkdown(conversation) {
  const parts = [`# ${conversation.title || "Conversation"}`];
  if (conversation.settings.system) parts.push(`**System:** ${conversation.settings.system}`);
  for (const turn of conversation.turns) {
    parts.push("## You", turn.text, ...turn.files.map((one) => `*Attached: ${one.name}*`));
    for (const { model, steps } of turn.answers) {
      parts.push(`## ${model}`);
      for (const one of steps) {
        if (one.role === "tool") parts.push(...one.results.map((result) => `Result of \`${result.id}\`:\n\n\`\`\`\n${result.text}\n\`\`\``));
        else {
          if (one.reasoning) parts.push(`> ${one.reasoning.replaceAll("\n", "\n> ")}`);
          if (one.content) parts.push(one.content);
          parts.push(...one.calls.map((call) => `Calls \`${call.name}\`:\n\n\`\`\`json\n${call.arguments}\n\`\`\``));
          if (one.error) parts.push(`*${one.error}*`);
        }
      }
    }
  }
  return `${parts.join("\n\n")}\n`;
}
