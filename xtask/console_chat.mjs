// Usage: TOLLWAY_OWNER_TOKEN=mt_... node console_chat.mjs real=BASE_URL. From the token of a first start to the first answer, and the
// playground as people use it: streamed, stopped, compared, continued, kept; and whatever a model may write, nothing of it runs.
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessible, expect, judge, places, runChecks } from "./site_browser.mjs";

const base = places().get("real");
const PASSWORD = "nine purple lanterns drift";
const TOOL = '[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]';
/** A machine with much to do takes its time. */
const PATIENT = { timeout: 60_000 };
let state;

/** The texts of the table that server-rendered Markdown is tried with. */
function payloads() {
  const source = readFileSync(new URL("../crates/web/src/safe/payloads.rs", import.meta.url), "utf8");
  const lines = source.split('r##"')[1].split('"##')[0].split("\n").filter(Boolean);
  const one = (all, n, t, hex, wide) => (n ? "\n" : t ? "\t" : String.fromCodePoint(parseInt(hex ?? wide, 16)));
  return lines.map((line) => line.replaceAll(/\\(?:(n)|(t)|x([0-9a-f]{2})|u([0-9a-f]{4}))/gi, one));
}

async function ready(page) {
  await page.goto(`${base}/chat`);
  await page.waitForSelector("#chat[data-ready]");
}

/** A page with a key of its own, and these models. */
async function begin(page, ...models) {
  await ready(page);
  await page.click("#key-none button[type=submit]");
  await page.waitForSelector("#key-now:not([hidden])");
  expect(new URL(page.url()).pathname === "/chat", "a reload would make another key");
  await choose(page, ...models);
}

async function choose(page, ...models) {
  for (const [at, model] of models.entries()) {
    if ((await page.locator("#chosen input").count()) <= at) await page.click("#add");
    await page.locator("#chosen input").nth(at).fill(model);
  }
}

async function say(page, text) {
  await page.fill("#say", text);
  await page.press("#say", "Enter");
}

const answers = (page) => page.locator(".chat-turn:last-child .chat-answer:not([hidden])");
const key = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("chat-key")).value);

/** Waits until each answer of the last turn has the gateway's own record. */
async function settled(page, count) {
  await page.waitForFunction((count) => {
    const cards = [...document.querySelectorAll(".chat-turn:last-child .chat-answer:not([hidden])")];
    return cards.length === count && cards.every((card) => card.querySelector(".chat-figures")?.textContent.includes("Answered by"));
  }, count, PATIENT);
}

/** On the first page; without a network the provider can't be asked, and the key is kept. */
async function pasteAProvidersKey(page) {
  await page.goto(base);
  expect((await page.textContent("#providers")).includes("Only the sandbox is on"), "more than the sandbox is on");
  await page.selectOption(".key-form select", "mistral");
  await page.fill(".key-form input", "no-real-key");
  await page.click(".key-form button");
  await page.waitForURL(/done=kept$/, { timeout: 40_000 });
  expect((await page.textContent("#entered ~ *")).includes("Mistral") && !(await page.content()).includes("no-real-key"), "the key is not listed");
  await page.goto(base);
  expect(!(await page.textContent("#providers")).includes("Only the sandbox is on"), "the key does not act at once");
  await page.goto(`${base}/console/server/provider-keys`);
  await page.locator("td summary", { hasText: "Remove" }).click();
  await page.locator("td button", { hasText: "Remove it for good" }).click();
  await page.waitForURL(/done=gone$/);
  const [complaint] = await accessible(page);
  expect(complaint === undefined, complaint);
}

async function firstRunToFirstCall(page) {
  await page.goto(`${base}/accept?token=${process.env.TOLLWAY_OWNER_TOKEN}`);
  await page.fill("input[name=email]", "owner@example.com");
  await page.fill("input[name=password]", PASSWORD);
  await page.click("main form button[type=submit]");
  await page.waitForURL(`${base}/console`);
  await pasteAProvidersKey(page);
  await page.goto(`${base}/console`);
  await page.locator("nav.wide a", { hasText: "Playground" }).click();
  await page.waitForURL(`${base}/chat`);
  await page.waitForSelector("#chat[data-ready]");
  await page.click("#key-none button[type=submit]");
  await page.waitForSelector("#key-now:not([hidden])");
  await say(page, "Say hello");
  await settled(page, 1);
  const card = await answers(page).textContent();
  expect(card.includes("You said: Say hello") && /Cost\$0\.0+\d/.test(card), card);
  state = await page.context().storageState();
}

async function streams(page) {
  await begin(page, "sandbox/slow");
  await say(page, "one two three four five six seven eight nine ten eleven twelve");
  await page.waitForSelector("#stop:not([hidden])");
  const lengths = new Set();
  while (await page.locator("#stop").isVisible()) lengths.add(((await answers(page).locator(".chat-text").textContent({ timeout: 5_000 }).catch(() => "")) ?? "").length);
  expect(lengths.size >= 3, `the answer came in ${lengths.size} pieces`);
  await settled(page, 1);
  const card = await answers(page).textContent();
  expect(/First token1\.\d\d s/.test(card) && card.includes("Why there"), card);
  const id = /Generation (gen-\S+)/.exec(await answers(page).locator(".chat-why").textContent())[1];
  const headers = { authorization: `Bearer ${await key(page)}` };
  let told = null;
  for (let tries = 0; tries < 300 && told?.status() !== 200; tries += 1) {
    if (told) await page.waitForTimeout(200);
    told = await page.request.get(`${base}/v1/generation?id=${id}`, { headers });
  }
  const { total_cost: cost } = (await told.json()).data;
  expect(card.includes(`Cost$${cost.replace(/0+$/, "")}`), `the record says ${cost}: ${card}`);
}

async function stops(page) {
  await begin(page, "sandbox/slow");
  await say(page, "word ".repeat(200));
  await page.waitForSelector(".chat-answer .chat-text");
  await page.click("#stop");
  await page.waitForSelector("#send:not([hidden])");
  await settled(page, 1);
  expect((await answers(page).textContent()).includes("Stopped."), "it does not say that it was stopped");
  const length = (await answers(page).locator(".chat-text").textContent()).length;
  expect(length > 0 && length < 900, `${length} characters of an answer that was stopped`);
  await page.locator(".chat-acts button", { hasText: "Retry" }).click();
  await page.waitForSelector("#stop:not([hidden])");
  await page.locator(".chat-acts button", { hasText: "Stop this one" }).click();
  await page.waitForSelector("#send:not([hidden])");
}

async function compares(page) {
  await begin(page, "sandbox/echo", "sandbox/reasoning", "sandbox/json", "tollway/auto");
  expect(await page.locator("#add").isDisabled(), "a fifth model can be added");
  await page.click("#settings summary");
  await page.fill("#set-system", "Be brief.");
  await page.fill("#set-temperature", "0.2");
  await page.selectOption("#set-preference", "cost");
  const sent = [];
  page.on("request", (request) => request.url().endsWith("/chat/completions") && sent.push(request));
  await say(page, "Which city?");
  await settled(page, 4);
  const bodies = sent.map((request) => request.postDataJSON());
  expect(bodies.length === 4 && bodies.every((body) => body.messages[0].content === "Be brief." && body.temperature === 0.2 && body.stream), JSON.stringify(bodies));
  expect(sent.every((request) => request.headers()["x-tollway-preference"] === "cost"), "the preference is not sent");
  expect(await answers(page).nth(1).locator(".chat-reasoning").isVisible(), "reasoning does not stand apart");
  const [complaint] = await accessible(page);
  expect(complaint === undefined, complaint);
  await say(page, "And why?");
  await settled(page, 4);
  const last = sent.at(-1).postDataJSON().messages.map((message) => message.role).join();
  expect(last === "system,user,assistant,user", last);
}

async function callsTools(page) {
  await begin(page, "sandbox/tools");
  await page.click("#settings summary");
  await page.fill("#set-tools", "[nonsense");
  await say(page, "What is the weather?");
  expect((await page.textContent("#chat-problem")).includes("no JSON"), "nonsense is taken for tools");
  await page.fill("#set-tools", TOOL);
  await page.press("#say", "Enter");
  await settled(page, 1);
  expect((await answers(page).textContent()).includes("Calls get_weather"), await answers(page).textContent());
  const asked = page.waitForRequest((request) => request.url().endsWith("/chat/completions"));
  await answers(page).locator("textarea").fill("12 degrees");
  await answers(page).locator("form button").click();
  const { messages } = (await asked).postDataJSON();
  const [call, result] = messages.slice(-2);
  expect(call.tool_calls[0].id === result.tool_call_id && result.content === "12 degrees", JSON.stringify(messages));
}

async function attaches(page) {
  await begin(page, "sandbox/echo");
  const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
  const files = [{ name: "dot.png", mimeType: "image/png", buffer: Buffer.from(png, "base64") }, { name: "a.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.4") }];
  await page.setInputFiles("#attach", files);
  await page.waitForFunction(() => document.querySelectorAll("#files button").length === 2);
  await page.setInputFiles("#attach", [{ name: "x.svg", mimeType: "image/svg+xml", buffer: Buffer.from("<svg onload='alert(1)'/>") }]);
  await page.waitForFunction(() => document.getElementById("chat-problem").textContent.includes("x.svg is no PNG"));
  const asked = page.waitForRequest((request) => request.url().endsWith("/chat/completions"));
  await say(page, "What is this?");
  const [text, image, document] = (await asked).postDataJSON().messages[0].content;
  expect(text.text === "What is this?" && image.image_url.url.endsWith(png) && document.file.filename === "a.pdf", "the files are not sent");
}

async function keeps(page) {
  await ready(page);
  const [complaint] = await judge(page);
  expect(complaint === undefined, complaint);
  await begin(page, "sandbox/echo");
  await say(page, "Remember me");
  await settled(page, 1);
  await page.locator(".chat-acts button", { hasText: "Fork" }).click();
  await say(page, "Only in the fork");
  await settled(page, 1);
  await page.reload();
  await page.waitForSelector("#chat[data-ready]");
  const titles = await page.locator("#past option").allTextContents();
  expect(titles.includes("Remember me (fork)") && titles.includes("Remember me"), titles.join());
  await page.selectOption("#past", { label: "Remember me (fork)" });
  expect((await page.locator(".chat-turn").count()) === 2, "the fork lost a turn");
  await page.click(".chat-menu summary");
  const [file] = await Promise.all([page.waitForEvent("download"), page.click("#save-json")]);
  const kept = JSON.parse(readFileSync(await file.path(), "utf8"));
  expect(kept.turns.length === 2 && !JSON.stringify(kept).includes("sk-tw"), "the export is not the conversation, or has the key");
  const [text] = await Promise.all([page.waitForEvent("download"), page.click("#save-markdown")]);
  expect(readFileSync(await text.path(), "utf8").includes("## You\n\nOnly in the fork"), "no Markdown");
  page.on("dialog", (dialog) => dialog.accept());
  await page.click("#wipe");
  await page.waitForFunction(() => document.querySelectorAll("#past option").length === 1);
  await bring(page, kept);
  expect((await page.locator(".chat-turn").count()) === 2, "the import lost a turn");
  await page.click("#wipe");
}

async function bring(page, conversation) {
  const path = join(tmpdir(), `conversation-${process.pid}.json`);
  writeFileSync(path, JSON.stringify(conversation));
  await page.setInputFiles("#bring", path);
  await page.waitForFunction((count) => document.querySelectorAll(".chat-turn").length === count, conversation.turns.length);
}

async function replacesKeys(page) {
  await begin(page, "sandbox/echo");
  const first = await key(page);
  await page.click("#key-forget");
  await page.click("#key-none button[type=submit]");
  await page.waitForSelector("#key-now:not([hidden])");
  const second = await key(page);
  const ask = async (text) => (await page.request.get(`${base}/v1/key`, { headers: { authorization: `Bearer ${text}` } })).status();
  expect((await ask(first)) === 401 && (await ask(second)) === 200, "the former key lives on");
  await page.click("#key-end button");
  await page.waitForURL(`${base}/chat?done=ended`);
  expect((await ask(second)) === 401, "the key was not revoked");
  expect(await page.locator("#key-none").isVisible(), "the page goes on as if it had a key");
}

/** Everything that an answer may put on the page, and nothing else. */
function foreign() {
  const tags = new Set("OL LI DIV P ARTICLE H2 DETAILS SUMMARY BUTTON FIGURE FIGCAPTION PRE CODE DL DT DD UL A STRONG EM DEL BR HR BLOCKQUOTE TABLE THEAD TBODY TR TH TD SPAN FORM LABEL TEXTAREA IMG".split(" "));
  const names = new Set("class id tabindex href title rel target type start open role hidden rows src alt".split(" "));
  const bad = [];
  for (const one of document.querySelectorAll("#turns *")) {
    if (!tags.has(one.tagName)) bad.push(one.outerHTML.slice(0, 100));
    for (const { name } of one.attributes) if (!names.has(name)) bad.push(`${name} in ${one.outerHTML.slice(0, 100)}`);
    if (one.tagName === "A" && (!/^https?:$/.test(one.protocol) || !one.rel.includes("noreferrer"))) bad.push(one.outerHTML.slice(0, 100));
    if (one.tagName === "IMG" && !one.src.startsWith("data:image/png")) bad.push(one.outerHTML.slice(0, 100));
  }
  return { bad, ran: window.ran, links: document.querySelectorAll("#turns a").length };
}

async function runsNothing(page) {
  await page.addInitScript(() => {
    window.ran = [];
    for (const name of ["alert", "prompt", "msgbox"]) window[name] = (what) => window.ran.push(`${name} ${what}`);
  });
  await ready(page);
  const all = payloads();
  expect(all.length >= 150, `${all.length} payloads`);
  const step = (content, more = {}) => ({ role: "assistant", content, ...more });
  const places = (text) => [text, `Good. ${text} Daily.`, `- ${text}\n- b`, `> ${text}\n\nc`, `[${text}](https://x.example)`, `| a |\n|--|\n| ${text} |`, `\`\`\`\n${text}\n\`\`\``, `**${text}**`, `# ${text}`];
  const turn = (payload) => ({
    text: payload,
    files: [{ name: payload, url: payload }, { name: payload, url: `data:image/png;base64,${payload}` }],
    answers: [{
      model: payload,
      steps: [
        ...places(payload).map((text) => step(text)),
        step("", { reasoning: payload, error: payload, finish: payload, images: [payload, `data:image/svg+xml;base64,${btoa("<svg onload='alert(1)'/>")}`], calls: [{ id: payload, name: payload, arguments: payload }], meta: { id: payload, warnings: [payload], record: { endpoint: payload, total_cost: payload } } }),
        { role: "tool", results: [{ id: payload, text: payload }] },
      ],
    }],
  });
  await bring(page, { form: "chat 1", title: all[0], models: ["x"], turns: all.map(turn) });
  await page.evaluate(() => document.querySelectorAll("#turns [tabindex], #turns a, #turns summary").forEach((one) => one.focus()));
  const found = await page.evaluate(foreign);
  expect(found.bad.length === 0 && found.ran.length === 0, JSON.stringify(found).slice(0, 600));
  expect(found.links > all.length, `only ${found.links} links: Markdown is not rendered at all`);
  const { violations } = await page.evaluate(() => window.seen);
  expect(violations.length === 0, violations.join());
}

/** The same from the stream, in the places that only it has. */
async function runsNothingOfAStream(page) {
  await page.addInitScript(() => (window.ran = []));
  await begin(page, "sandbox/echo");
  const all = payloads();
  for (const at of [0, 30, 60, 90, 120, all.length - 30]) {
    const text = all.slice(at, at + 30).join("\n\n");
    await page.route("**/v1/chat/completions", (route) => {
      const delta = { content: text, reasoning: text, tool_calls: [{ index: 0, id: text, function: { name: text, arguments: text } }], images: [{ image_url: { url: text } }] };
      const chunk = { id: text, model: text, provider: text, choices: [{ delta, finish_reason: text }], usage: { cost: 1e-9, prompt_tokens: text }, warnings: [{ message: text }], tollway: { endpoint: text, plan: { steps: [{ endpoint: text, reason: text }] }, attempts: [{ endpoint: text, outcome: text }] } };
      return route.fulfill({ contentType: "text/event-stream", body: `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n` });
    }, { times: 1 });
    await say(page, "Go on");
    await answers(page).locator(".chat-results").waitFor();
  }
  await page.route("**/v1/chat/completions", (route) => route.fulfill({ status: 400, json: { error: { message: all.join("\n") } } }), { times: 1 });
  await say(page, "Fail");
  await answers(page).locator(".note.bad").waitFor();
  const found = await page.evaluate(foreign);
  expect(found.bad.length === 0 && found.ran.length === 0, JSON.stringify(found).slice(0, 600));
}

async function saysWhatItNeeds(page) {
  await page.goto(`${base}/chat`);
  const text = await page.locator("noscript").textContent();
  expect(text.includes("needs scripts") && text.includes("/v1/chat/completions"), text);
  expect(!(await page.locator("#chat").isVisible()), "what can't work is shown");
  await page.click("#key-none button[type=submit]");
  expect((await page.textContent("#made-key")).startsWith("sk-tw-"), "no key without scripts");
}

const STATUSES = { statuses: [200, 404], state: () => state };
const checks = [
  ["first run to first call", firstRunToFirstCall, STATUSES],
  ["an answer streams", streams, STATUSES],
  ["an answer is stopped, and asked for again", stops, STATUSES],
  ["four models side by side", compares, STATUSES],
  ["tools are called, and told their results", callsTools, STATUSES],
  ["pictures and documents go along", attaches, STATUSES],
  ["conversations are kept, forked, taken away, brought back and wiped", keeps, STATUSES],
  ["a new key ends the former one", replacesKeys, STATUSES],
  ["nothing of 150 hostile texts runs", runsNothing, STATUSES],
  ["nor when it streams in", runsNothingOfAStream, { ...STATUSES, expected: /status of 400/ }],
  ["without scripts, it says what it needs", saysWhatItNeeds, { scripts: false, state: () => state }],
];

await runChecks(base, checks);
