// Usage: node console_see.mjs console=BASE_URL... The console's pages of what happened, used as people use them: within three clicks of the
// overview what was spent and by whom, and why a request went where it went; the log that follows; everything without scripts too.
import { readFileSync } from "node:fs";
import { expect, places, runChecks } from "./site_browser.mjs";

const base = places().get("console");
const made = JSON.parse(readFileSync(process.env.TOLLWAY_CONSOLE_MADE, "utf8"));

const textOf = (page, selector) => page.locator(selector).first().innerText();

const journeys = {
  async "by the form one comes in, and back to where one wanted to be"(page) {
    await page.goto(`${base}/console/logs?status=ok`, { waitUntil: "load" });
    expect(page.url().includes("/sign-in"), `asked to sign in, not ${page.url()}`);
    await page.fill("input[name=email]", made.email);
    await page.fill("input[name=password]", made.password);
    await page.click("form button[type=submit]");
    await page.waitForURL("**/console/logs?status=ok");
  },

  async "what was spent, and by whom: two clicks"(page) {
    await page.goto(`${base}/console`, { waitUntil: "load" });
    await page.click("nav[aria-label='Which days'] a:text-is('Today')");
    await page.waitForURL("**period=today**");
    const spend = await textOf(page, ".figures dd");
    expect(/^\$\d/.test(spend), `an amount, not ${spend}`);
    const whom = await textOf(page, "#last tbody th");
    expect(whom.startsWith("Ada"), `who spent it, not ${whom}`);
    await page.click("section[aria-labelledby=by-model] tbody th a");
    await page.waitForURL("**model=**");
    expect((await textOf(page, ".held")).includes("Model:"), "the row became a filter");
    await page.click(".held a");
    await page.waitForURL((url) => !url.search.includes("model="));
  },

  async "what was spent yesterday: one click"(page) {
    await page.goto(`${base}/console`, { waitUntil: "load" });
    await page.click(".leads a:text-is('What was spent yesterday, and by whom')");
    await page.waitForURL("**period=yesterday**");
    expect((await textOf(page, "#last h2")) === "Members", "it says by whom");
  },

  async "how a key is capped: three clicks"(page) {
    await page.goto(`${base}/console`, { waitUntil: "load" });
    await page.click(".leads a:text-is('Cap a key')");
    await page.click(".keys tbody th a:text-is('Night batch')");
    await page.click(".leads a:text-is('Set its limit')");
    await page.fill("#rules input[name=limit]", "7.5");
    await page.click("#rules button[value=save]");
    await page.waitForURL("**done=saved");
    expect((await textOf(page, ".stats")).includes("of $7.50"), "the limit holds");
  },

  async "how a runaway is stopped: two clicks"(page) {
    await page.goto(`${base}/console`, { waitUntil: "load" });
    await page.click(".leads a:text-is('Stop a runaway')");
    const row = page.locator(".keys tbody tr", { hasText: "Night batch" });
    await row.locator("button[value=stop]").click();
    await page.waitForURL("**done=stopped");
    expect((await row.innerText()).includes("Stopped"), "the row says so");
    await row.locator("button[value=start]").click();
    await page.waitForURL("**done=started");
  },

  async "why a request went where it went: two clicks"(page) {
    await page.goto(`${base}/console`, { waitUntil: "load" });
    await page.click(".leads a:text-is('Why a request went where it went')");
    await page.click("#log tr th a");
    await page.waitForSelector(".steps-of");
    const steps = await page.locator(".steps-of h3").allInnerTexts();
    expect(steps[0] === "Received" && steps[1] === "Planned" && steps.at(-1).startsWith("Settled"), `in order: ${steps.join(", ")}`);
    await page.fill("input[name=comment]", "well done");
    await page.click("button[value=up]");
    await page.waitForSelector(".note.good");
    expect((await textOf(page, "button[value=up]")) === "Good", "the button stays");
    expect((await page.getAttribute("button[value=up]", "aria-pressed")) === "true", "what was said is kept");
  },

  async "a number leads to its chart, and the chart has its numbers as a table"(page) {
    await page.goto(`${base}/console?period=today`, { waitUntil: "load" });
    await page.click(".figures a:text-is('Tokens')");
    await page.waitForURL("**metric=tokens**");
    await page.click("nav[aria-label='What it is stacked by'] a:text-is('Keys')");
    await page.waitForURL("**by=key**");
    await page.click(".graph details summary");
    expect((await page.locator(".graph table tbody tr").count()) === 24, "a row for each hour");
  },

  async "the log follows what comes in"(page) {
    await page.goto(`${base}/console/logs`, { waitUntil: "load" });
    await page.click("#tail button");
    const answer = await page.request.post(`${base}/v1/chat/completions`, {
      headers: { authorization: `Bearer ${made.much.ids.text}` },
      data: { model: "sandbox/echo", messages: [{ role: "user", content: "Say hello." }] },
    });
    const id = answer.headers()["x-generation-id"];
    await page.waitForSelector(`tr[id="${id}"].is-new`, { timeout: 20_000 });
    expect((await textOf(page, "#tail [role=status]")).includes("new call"), "it says so");
  },

  async "what is hostile is text"(page) {
    for (const path of ["/console", "/console?table=user", "/console?table=tag", "/console/logs", `/console/logs/${made.much.ids.generation}`]) {
      await page.goto(base + path, { waitUntil: "load" });
      expect((await page.locator("main img[src=x], main script").count()) === 0, `no element of ours in ${path}`);
    }
  },
};

/** What has to work where scripts are off. */
const plain = ["what was spent, and by whom: two clicks", "why a request went where it went: two clicks", "how a key is capped: three clicks", "how a runaway is stopped: two clicks"];

/** A script that runs says so in a dialog. */
async function noDialog(page, complaints) {
  page.on("dialog", (dialog) => {
    complaints.push(`a script ran: ${dialog.message()}`);
    dialog.dismiss();
  });
}

const signedIn = (name) => (name.startsWith("by the form") ? null : made.much.cookie);
const checks = [
  ...Object.entries(journeys).map(([name, journey]) => [name, journey, { cookie: signedIn(name) }]),
  ...plain.map((name) => [`${name} (without scripts)`, journeys[name], { cookie: signedIn(name), scripts: false }]),
];
await runChecks(base, checks, noDialog);
