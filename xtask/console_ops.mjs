// Usage: TOLLWAY_OWNER_TOKEN=mt_... TOLLWAY_LOG=FILE node console_ops.mjs real=BASE_URL. What whoever runs the server does with its pages: sees what was earned,
// moderates a comment that was reported, follows a contradiction of the catalog to where the fact stands, looks at jobs and state, and tells
// people something that they read and dismiss. With scripts and without; and each page as axe, the browser and a narrow screen see it.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { accessible, judge, launch, open } from "./site_browser.mjs";

const base = process.argv.map((place) => place.split("real=")[1]).find(Boolean);
const OWNER = { email: "owner@example.com", password: "nine purple lanterns drift" };
const GUEST = { email: "bea@example.com", password: "violet gravel teapot north" };
const MODEL = "/mistralai/mistral-small-2603";
const INSULT = "Whoever made this is a <b>fool</b>.";

/** Every page of the operator's. */
const PAGES = ["people", "margin", "providers", "provider-keys", "catalog", "catalog?kind=stale", "catalog?author=nobody", "fees", "announcements", "jobs", "state"]
  .map((page) => `/console/server/${page}`)
  .concat("/console/moderation");

function expect(is, what) {
  if (!is) throw new Error(what);
}

async function call(method, path, { token, body, statuses = [200, 201] } = {}) {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  expect(statuses.includes(answer.status), `${method} ${path}: ${answer.status} ${text.slice(0, 200)}`);
  return text.startsWith("{") ? JSON.parse(text) : null;
}

const session = async (who) => (await call("POST", "/v1/auth/sign-in", { body: who })).data.token;

/** The token that somebody was mailed, as the server without a mail server writes it into its log. */
async function mailed(email) {
  for (let tries = 0; tries < 600; tries += 1) {
    const found = readFileSync(process.env.TOLLWAY_LOG, "utf8").match(new RegExp(` mail: [^\\n]*${email}[^\\n]*?(mt_[A-Za-z0-9_-]+)`));
    if (found) return found[1];
    await sleep(50);
  }
  throw new Error(`nothing was mailed to ${email}`);
}

/** The owner claims the server, and asks somebody in. */
async function prepared() {
  const token = process.env.TOLLWAY_OWNER_TOKEN;
  await call("POST", "/v1/auth/accept", { body: { token, ...OWNER, name: "Olga" } });
  const owner = await session(OWNER);
  await call("POST", "/v1/organization/invitations", { token: owner, body: { email: GUEST.email, role: "developer" } });
  await call("POST", "/v1/auth/accept", { body: { token: await mailed(GUEST.email), ...GUEST, name: "Bea" } });
  return { owner, guest: await session(GUEST) };
}

async function margin(page, { owner }) {
  const made = await call("POST", "/v1/keys", { token: owner, body: { name: "earns" } });
  const body = { model: "sandbox/echo", messages: [{ role: "user", content: "Say hello." }] };
  const { id } = await call("POST", "/v1/chat/completions", { token: made.key, body });
  expect(id, "the call has no id");
  // The record is in the books within a moment; the page is asked until it is there, as a person would.
  for (let tries = 0; ; tries += 1) {
    await page.goto(`${base}/console`);
    await page.locator("nav.side.wide").getByRole("link", { name: "Margin", exact: true }).click();
    if (await page.locator("section[aria-labelledby=by-model]").count()) break;
    expect(tries < 100, "the call does not come into the books");
  }
  const row = page.locator("section[aria-labelledby=by-model] tbody tr", { hasText: "sandbox/echo" });
  expect((await row.count()) === 1, "the model that was called is not in the margin");
  await page.getByRole("link", { name: "7 days", exact: true }).click();
  await page.waitForURL(/period=7d/);
  expect((await page.locator("nav[aria-label='Which days'] [aria-current]").textContent()) === "7 days", "the span is not kept");
  expect((await row.count()) === 1, "the call is not among the last seven days");
}

async function moderation(page, { owner, guest }) {
  await page.goto(`${base}/console/moderation`);
  expect(await page.getByText("Nothing to look at.").isVisible(), "an empty queue says nothing");
  const rated = await call("PUT", `/v1/models${MODEL}/ratings`, { token: guest, body: { stars: 1, name: "Bea", comment: INSULT } });
  await call("POST", `/v1/ratings/${rated.data.id}/report`, { token: owner, body: { reason: "It insults people." } });
  await page.goto(`${base}/console/moderation`);
  const reported = page.locator("ol.queue > li", { hasText: "fool" });
  await reported.locator("input[name=why]").fill("It insults people.");
  await reported.getByRole("button", { name: "Hide", exact: true }).click();
  await page.waitForURL(/done=hide/);
  await page.goto(base + MODEL);
  expect((await page.getByText("Whoever made this").count()) === 0, "what is hidden is still read");
  await page.goto(`${base}/console/moderation?queue=hidden`);
  const card = page.locator("ol.queue > li", { hasText: "fool" });
  expect((await card.count()) === 1, "what was hidden is not in the queue");
  expect((await card.locator(".said b").count()) === 0, "markup of a comment became markup of the page");
  await card.getByRole("button", { name: "Show to everybody" }).click();
  await page.waitForURL(/done=show/);
}

async function review(page) {
  await page.goto(`${base}/console`);
  await page.locator("nav.side.wide").getByRole("link", { name: "Catalog", exact: true }).click();
  await page.locator("nav[aria-label='Which kind']").getByRole("link", { name: /Contradictions/ }).click();
  await page.waitForURL(/kind=contradiction/);
  await page.selectOption("select[name=subject]", "model");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/subject=model/);
  const first = page.locator("tbody tr").first();
  const href = await first.locator("th a").getAttribute("href");
  const here = (await first.locator("td[data-label=Here]").innerText()).split("\n")[0];
  expect((await first.locator("td[data-label=Elsewhere] small").count()) > 0, "nobody is said to contradict");
  await first.locator("th a").click();
  await page.waitForURL((url) => decodeURI(url.pathname + url.hash) === href);
  const line = page.locator(`[id="${href.split("#")[1]}"]`);
  expect((await line.count()) === 1, `${href} leads nowhere on its page`);
  expect(await line.locator(".dispute").count(), `the line of ${href} does not say that it is disputed (${here})`);
  const csv = await page.request.get(`${base}/v1/server/catalog?kind=contradiction&format=csv`);
  expect((await csv.text()).startsWith("kind,subject,id,fact"), "the review is no CSV");
}

async function jobsAndState(page) {
  await page.goto(`${base}/console/server/jobs`);
  const fold = page.locator("tbody tr", { hasText: "books records of the journal" });
  expect((await fold.locator(".chip").innerText()).includes("Done"), "the books are not said to be kept");
  expect((await page.locator("tbody tr", { hasText: "reads catalog and providers again" }).innerText()).includes("not since the start"), "a job that has not run is said to have");
  await page.locator("nav.side.wide").getByRole("link", { name: "State", exact: true }).click();
  expect(await page.getByText("Calls can be served").isVisible(), "the state is not said to be good");
  expect((await page.locator("#store ~ .scroll").innerText()).includes("SQLite"), "the store is not named");
  await page.goto(`${base}/console/server/fees`);
  expect((await page.locator("table.settings tbody tr").count()) >= 10, "settings of fees are missing");
}

async function announcement(page) {
  const list = `${base}/console/server/announcements`;
  await page.goto(list);
  await page.locator("form.panel textarea[name=text]").fill("We move **tonight**. <img src=x onerror=alert(1)>");
  await page.locator("form.panel select[name=level]").selectOption("warning");
  await page.getByRole("button", { name: "Announce it" }).click();
  await page.waitForURL(/done=made/);
  const banner = page.locator("section.banners .banner");
  for (const path of ["/models", MODEL, "/console"]) {
    await page.goto(base + path);
    expect((await banner.innerText()).includes("We move tonight"), `${path} does not tell it`);
    expect((await banner.locator("img").count()) === 0, "the text ran");
  }
  await page.goto(`${base}/models?q=small`);
  await banner.getByRole("button", { name: "Dismiss" }).click();
  await page.waitForURL(/models\?q=small/);
  expect((await banner.count()) === 0, "what was dismissed is still there");
  await page.goto(list);
  expect((await banner.count()) === 0, "what was dismissed comes back on another page");
  await page.locator("details.anew summary").click();
  await page.locator("ol.queue textarea[name=text]").fill("We moved.");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/done=saved/);
  expect((await banner.innerText()).includes("We moved."), "what is worded anew is not shown again");
  await page.getByRole("button", { name: "End it now" }).click();
  await page.waitForURL(/done=ended/);
  expect((await banner.count()) === 0, "what is over is still told");
  await page.locator("details.sure summary", { hasText: "Delete" }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await page.waitForURL(/done=deleted/);
  expect(await page.getByText("Nothing is announced.").isVisible(), "what was deleted is still listed");
}

/** Every page as it is now: nothing serious, nothing that moves, nothing beyond the edge. */
async function pagesAreWell(page, _people, complaints) {
  for (const path of PAGES) {
    await page.goto(base + path, { waitUntil: "load" });
    for (const one of [...(await judge(page)), ...(await accessible(page))]) complaints.push(`${path}: ${one}`);
    expect((await page.locator("h1").count()) === 1, `${path} has not one h1`);
    expect((await page.locator("details.calls figure").count()) > 0, `${path} shows no call`);
  }
}

const SIZES = [{ width: 1280 }, { width: 390, scheme: "dark" }];
const checks = [
  ...SIZES.map((size) => [`the operator's pages, ${size.width} px`, pagesAreWell, size]),
  ["what a call earned is in the margin", margin, {}],
  ["a comment that insults is hidden and shown again, without scripts", moderation, { scripts: false }],
  ["a contradiction of the catalog leads to its fact", review, {}],
  ["jobs, state and fees say how it is", jobsAndState, {}],
  ["an announcement is read, dismissed, worded anew and ended", announcement, {}],
  ["the same without scripts", announcement, { scripts: false }],
];

const people = await prepared();
const browser = await launch();
let failed = 0;
for (const [name, check, options] of checks) {
  const { page, complaints, close } = await open(browser, base, options);
  page.setDefaultTimeout(20_000);
  const run = async () => {
    await page.goto(`${base}/sign-in`);
    await page.fill("input[name=email]", OWNER.email);
    await page.fill("input[name=password]", OWNER.password);
    await page.click("form button.main");
    await page.waitForURL(/console/);
    await check(page, people, complaints);
  };
  await run().catch((error) => complaints.push(`${error.message.split("\n").slice(0, 4).join(" ").slice(0, 600)} (at ${page.url()})`));
  await close();
  failed += complaints.length;
  console.log([`${complaints.length ? "FAIL" : "ok  "} ${name}`, ...complaints.map((one) => `       ${one}`)].join("\n"));
}
await browser.close();
console.log(`${checks.length} checks`);
process.exitCode = failed ? 1 : 0;
