// Usage: TOLLWAY_BIN=... node console_paths.mjs first=URL first_log=FILE shop=URL shop_log=FILE provider=PORT processor=PORT. The ways that people
// go from nothing to something, each from page to page: from the printed link to the first call in the log; from a sign-up to a key, a spend and
// a receipt that holds; a payment; a call that an own provider key pays for; and what the operator earned. `first` is a server as it starts,
// `shop` takes sign-ups and prepayments.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { processor, provider } from "./console_outside.mjs";
import { accessible, expect, judge, places, runChecks, signIn, written } from "./site_browser.mjs";

const all = places();
const [first, shop] = [all.get("first"), all.get("shop")];
const PASSWORD = "plum kettle orbit sandal";
const MODEL = "mistralai/mistral-small-2603";
const OPERATORS_KEY = "key-of-the-operator";
const OWN_KEY = "key-of-the-customer";
const BOB = "bob@example.com";
const folder = mkdtempSync(join(tmpdir(), "tollway-paths-"));
const lab = await provider(Number(all.get("provider")), [OPERATORS_KEY, OWN_KEY]);
const stripe = await processor(Number(all.get("processor")), shop, process.env.TOLLWAY_WEBHOOK_SECRET);
/** What Bob has after he signed up. */
const bob = {};

/** Opens the link that the first start printed and claims the server. */
async function claim(page, base, log) {
  await page.goto(await written(log, /(http\S+\/accept\?token=mt_[A-Za-z0-9_-]+)/));
  await page.fill("input[name=email]", "owner@example.com");
  await page.fill("input[name=password]", PASSWORD);
  await page.click("main form button[type=submit]");
  await page.waitForURL(`${base}/console`);
}

/** What a page offers to paste into a terminal, run there. */
async function inTerminal(text, environment = {}) {
  const env = { PATH: process.env.PATH, HOME: folder, ...environment };
  const options = { cwd: folder, env, timeout: 30_000 };
  return (await promisify(execFile)("bash", ["--norc", "--noprofile", "-c", text], options)).stdout;
}

/** A page that waits for what the books will have in a moment, asked again until it does. */
async function until(page, path, has) {
  for (let tries = 0; tries < 150; tries += 1) {
    await page.goto(path);
    const text = await page.locator("main").innerText();
    if (await has(text)) return text;
    await page.waitForTimeout(100);
  }
  throw new Error(`${path} never says what it should: ${(await page.locator("main").innerText()).slice(0, 300)}`);
}

async function well(page, complaints) {
  complaints.push(...(await judge(page)), ...(await accessible(page)));
}

async function firstRun(page, complaints) {
  await claim(page, first, all.get("first_log"));
  await page.goto(first);
  const providers = await page.locator("#providers").innerText();
  expect(providers.includes("Only the sandbox is on"), providers.slice(0, 300));
  await page.selectOption(".key-form select", "mistral");
  await page.fill(".key-form input", OPERATORS_KEY);
  await page.click(".key-form button");
  await page.waitForURL(/done=kept$/);
  await page.goto(first);
  expect((await page.locator("#providers .card", { hasText: "Mistral" }).textContent()).includes("On"), "Mistral is not on");
  await well(page, complaints);
  const curl = await page.locator("#try figure pre").textContent();
  const key = await written(all.get("first_log"), /(sk-tw-[A-Za-z0-9_-]+)/);
  const answer = await inTerminal(curl.replace("{", `{"user":"the first",`), { TOLLWAY_KEY: key });
  expect(answer.includes("data: [DONE]") && answer.includes('"cost"'), answer.slice(0, 500));
  await page.goto(`${first}/console`);
  await page.locator("nav.side.wide a", { hasText: "Logs" }).click();
  // A row of the log, not a word of the filters beside it.
  const row = page.locator("#log tr th a").first();
  const log = await until(page, `${first}/console/logs`, async () => (await row.count()) > 0);
  await row.click();
  const text = await page.locator("main").innerText();
  expect(text.includes("Received") && text.includes("Settled"), `${log.slice(0, 200)} | ${text.slice(0, 400)}`);
}

async function signsUp(page, complaints) {
  await page.goto(`${shop}/sign-up`);
  await page.fill("input[name=email]", BOB);
  await page.fill("input[name=password]", PASSWORD);
  await page.click("main form button[type=submit]");
  await page.goto(await written(all.get("shop_log"), new RegExp(`mail: [^\\n]*${BOB}[^\\n]*?(http[^\\s"\\\\]+token=mt_[A-Za-z0-9_-]+)`)));
  await page.click("main form button[type=submit]");
  await page.waitForURL(`${shop}/console`);
  expect((await page.locator("main").innerText()).includes("sandbox/echo"), "the overview does not say what to do first");
  await well(page, complaints);
}

async function spends(page, complaints) {
  await page.goto(`${shop}/console/keys/new`);
  await page.fill("input[name=name]", "Bob's first");
  await page.getByRole("button", { name: "Make the key" }).click();
  bob.key = (await page.locator(".secret code").textContent()).trim();
  const curl = (await page.locator("figure", { hasText: "Try it" }).locator("pre").textContent()).replace(/"model": "[^"]*"/, `"model": "${MODEL}"`);
  bob.generation = JSON.parse(await inTerminal(curl)).id;
  await until(page, `${shop}/console/credits`, (text) => /Use\s+1 call/.test(text));
  await well(page, complaints);
}

/** The receipt as the page shows it holds, checked by the page's own commands; with a number changed it does not. */
async function receiptHolds(page, complaints) {
  await until(page, `${shop}/console/logs`, (text) => text.includes("mistral-small"));
  await page.locator("#log tr th a").first().click();
  const section = page.locator("section[aria-labelledby=receipt]");
  await section.locator("summary").click();
  const commands = await section.locator("figure", { hasText: "Check it" }).locator("pre").textContent();
  const receipt = (await section.locator("details pre").textContent()).trim();
  const program = `tollway() { "${process.env.TOLLWAY_BIN}" "$@"; }\n`;
  writeFileSync(join(folder, "receipt.txt"), receipt);
  const said = await inTerminal(program + commands);
  const shown = page.url().split("/").at(-1);
  expect(said.includes(shown), `the receipt of ${shown} says ${said}`);
  const [head, body, signature] = receipt.split(".");
  const forged = Buffer.from(Buffer.from(body, "base64url").toString().replace(/"output":500/, '"output":5')).toString("base64url");
  expect(forged !== body, "nothing could be forged");
  writeFileSync(join(folder, "receipt.txt"), [head, forged, signature].join("."));
  let refused = false;
  try {
    await inTerminal(`${program}${commands} 2>&1`);
  } catch {
    refused = true;
  }
  expect(refused, "a forged receipt holds");
  await well(page, complaints);
}

async function topsUp(page, complaints) {
  await page.goto(`${shop}/console/credits`);
  await page.fill("input[name=amount]", "25");
  await page.getByRole("button", { name: "Go on to pay" }).click();
  expect((await page.textContent("h1")) === "Pay $26.25", await page.textContent("h1"));
  await well(page, complaints);
  await page.getByRole("link", { name: "Go on to Stripe" }).click();
  await page.getByRole("button", { name: "Pay $26.25" }).click();
  await page.waitForURL(/\/console\/credits\?done=paid/);
  const text = await page.locator("main").innerText();
  expect(/Top up\s+topup:\S+\s+\+\$25\.00/.test(text) && text.includes("paid"), text.slice(0, 1_500));
  await page.getByRole("link", { name: "Invoices", exact: true }).first().click();
  const row = page.locator("main tbody tr").first();
  expect(/\$26\.25/.test(await row.innerText()), await row.innerText());
  await row.locator("th a").click();
  expect((await page.locator("body").innerText()).includes("26.25"), "the invoice for print does not say what was paid");
}

async function paysWithOwnKey(page, complaints) {
  await page.goto(`${shop}/console/provider-keys`);
  await page.selectOption("form.panel select[name=provider]", "mistral");
  await page.fill("textarea[name=key]", "a key that nobody knows");
  await page.getByRole("button", { name: "Test and keep it" }).click();
  expect(/refuse/.test(await page.getByRole("alert").innerText()), await page.getByRole("alert").innerText());
  await page.fill("textarea[name=key]", OWN_KEY);
  await page.getByRole("button", { name: "Test and keep it" }).click();
  await page.waitForURL(/done=added/);
  expect((await page.locator("main tbody tr").first().innerText()).includes("Taken"), await page.locator("main tbody").first().innerText());
  await page.fill("input[name=amount]", "5");
  await page.getByRole("button", { name: "Move from credits" }).click();
  await page.waitForURL(/done=moved/);
  await well(page, complaints);
  const before = lab.calls.length;
  const body = JSON.stringify({ model: MODEL, messages: [{ role: "user", content: "Hello" }] });
  const headers = { "content-type": "application/json", authorization: `Bearer ${bob.key}` };
  const answer = await fetch(`${shop}/v1/chat/completions`, { method: "POST", headers, body });
  const told = await answer.json();
  expect(answer.ok, `${answer.status} ${JSON.stringify(told)}`);
  expect(lab.calls.slice(before).join() === OWN_KEY, `the provider was called with ${lab.calls.slice(before)}`);
  await until(page, `${shop}/console/logs`, (text) => text.includes("mistral-small"));
  const text = await until(page, `${shop}/console/logs/${told.id}`, (text) => text.includes("Settled"));
  expect(/Paid by\s+your own provider key/.test(text) && /Balance\s+byok/.test(text) && text.includes("At list prices"), text.slice(0, 2_000));
  await until(page, `${shop}/console/provider-keys`, (text) => /\t1\t/.test(text));
  const row = await page.locator("main tbody tr").first().innerText();
  expect(/\t1\t\$0\.000\d+\t\$0\.0000\d+$/.test(row.trim()), JSON.stringify(row));
}

async function operatorSeesIt(page) {
  await claim(page, shop, all.get("shop_log"));
  await page.goto(`${shop}/console/server/margin?period=today`);
  const text = await page.locator("main").innerText();
  expect(text.includes(MODEL) && /Charged\s+\$0\.00/.test(text), text.slice(0, 800));
}

const signedIn = (check) => async (page, complaints) => {
  await signIn(page, shop, BOB, PASSWORD, "/console");
  await check(page, complaints);
};
const friends = [shop, stripe.origin];
const checks = [
  ["from the printed link to the first call in the log", firstRun, {}],
  ["from a sign-up to the console", signsUp, { friends }],
  ["from a key to a spend", signedIn(spends), { friends }],
  ["from a spend to a receipt that holds", signedIn(receiptHolds), { friends }],
  ["a payment is credit, a line of the statement and an invoice", signedIn(topsUp), { friends }],
  ["an own provider key pays for a call", signedIn(paysWithOwnKey), { friends, statuses: [200, 404], expected: /status of 400/ }],
  ["who runs the place sees what was earned", operatorSeesIt, { friends }],
];
await runChecks(first, checks);
lab.close();
stripe.close();
rmSync(folder, { recursive: true });
