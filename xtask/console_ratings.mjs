// Usage: TOLLWAY_LOG=FILE node console_ratings.mjs BASE_URL. People rate a model, comment, report and moderate, in a browser, with scripts and
// without. The server takes sign-ups; what it mails, and the token of its owner, stand in the file. Each check that fails is named.
import { accessible, expect, judge, runChecks, signIn as signInTo, written as writtenIn } from "./site_browser.mjs";

const base = process.argv[2];
const MODEL = "/mistralai/mistral-small-2603";
const PASSWORD = "plum kettle orbit sandal";
const COMMENT = "Fast *and* cheap.\n\n- short answers\n\n<img src=x onerror=alert(1)> <script>alert(2)</script>";

async function post(path, body) {
  const answer = await fetch(base + path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

const written = (find) => writtenIn(process.env.TOLLWAY_LOG, find);
const signIn = (page, email, path) => signInTo(page, base, email, PASSWORD, path);

/** Somebody new, who proves the address. */
async function come(email) {
  await post("/v1/auth/sign-up", { email, password: PASSWORD });
  await post("/v1/auth/verify", { token: await written(new RegExp(` mail: [^\\n]*${email}[^\\n]*?(mt_[A-Za-z0-9_-]+)`)) });
}

async function rate(page, stars, name, comment) {
  const form = page.locator("#ratings form.rate");
  if (!(await form.isVisible())) await page.locator("#ratings details.more > summary").click();
  await form.locator(`input[name=stars][value="${stars}"]`).check();
  await form.locator("input[name=name]").fill(name);
  await form.locator("textarea").fill(comment);
  await form.locator("button[type=submit]").click();
  await page.waitForURL(/[?&]done=/);
}

const notice = (page) => page.locator("#ratings [role=status]").textContent();
const mean = (page) => page.locator("#ratings .mean b").textContent();

async function nobodyHasRated(page) {
  await page.goto(base + MODEL);
  expect((await page.locator("#ratings").count()) === 0, "there is a section without a rating");
}

async function adaRates(page) {
  await signIn(page, "ada@example.com", `${MODEL}#ratings`);
  expect((await page.locator("#ratings h2").count()) === 0, "there is a heading without a rating");
  await page.locator("#ratings details.more > summary").click();
  await page.locator("#ratings form.rate button[type=submit]").click();
  expect(page.url().includes("#ratings") && !page.url().includes("done="), "a rating without stars was sent");
  await rate(page, 4, "Ada", COMMENT);
  expect((await notice(page)).includes("Your rating is in"), await notice(page));
  expect((await mean(page)) === "4.0", await mean(page));
  const said = page.locator("#ratings .comments .said").first();
  expect((await said.locator("em").textContent()) === "and" && (await said.locator("li").count()) === 1, await said.innerHTML());
  expect((await said.locator("img, script").count()) === 0, "a stranger's element is on the page");
  expect((await page.locator("#ratings .comments details.report").count()) === 0, "one's own can be reported");
}

async function bobRatesAndReports(page) {
  await signIn(page, "bob@example.com", MODEL);
  await rate(page, 1, "Bob ".repeat(10).trim(), `Slow. ${"long".repeat(200)}`);
  expect((await mean(page)) === "2.5", await mean(page));
  const report = page.locator("#ratings .comments li", { hasText: "Fast" }).locator("details.report");
  await report.locator("summary").click();
  await report.locator("input[name=reason]").fill("It advertises <b>something</b>.");
  await report.locator("button").click();
  await page.waitForURL(/done=reported/);
  expect((await notice(page)).includes("somebody will look"), await notice(page));
}

async function whoRunsItHides(page) {
  await page.goto(`${base}/console/moderation`);
  await signIn(page, "ops@example.com", "/console/moderation");
  const card = page.locator(".queue > li");
  expect((await card.count()) === 1, `${await card.count()} in the queue`);
  const text = await card.textContent();
  expect(text.includes("ada@example.com") && text.includes("It advertises <b>something</b>."), text);
  await card.getByRole("button", { name: "Hide" }).click();
  expect((await page.locator("[role=status]").count()) === 0, "it was hidden without a reason");
  await card.locator("input[name=why]").fill("It is spam.");
  await card.getByRole("button", { name: "Hide" }).click();
  await page.waitForURL(/done=hide/);
  expect((await page.locator(".queue > li").count()) === 0, "it is still in the queue");
  await page.getByRole("link", { name: "Hidden", exact: true }).click();
  expect((await page.locator(".queue > li").textContent()).includes("It is spam."), "it is not among what is hidden");
}

async function onlyAdaSeesIt(page) {
  await page.goto(base + MODEL);
  expect((await mean(page)) === "1.0", await mean(page));
  expect((await page.locator("#ratings", { hasText: "Fast" }).count()) === 0, "everybody sees what is hidden");
  expect((await page.locator("#ratings form").count()) === 0, "there is a form for nobody");
  await page.getByRole("link", { name: "Sign in to rate this model" }).click();
  await signIn(page, "ada@example.com", MODEL);
  expect((await page.locator("#ratings .own").textContent()).includes("Only you see it: It is spam."), "she is not told");
}

async function itIsShownAgain(page) {
  await signIn(page, "ops@example.com", "/console/moderation?queue=hidden");
  await page.getByRole("button", { name: "Show to everybody" }).click();
  await page.waitForURL(/done=show/);
  await page.goto(base + MODEL);
  expect((await mean(page)) === "2.5", await mean(page));
}

async function adaEditsAndDeletes(page) {
  await signIn(page, "ada@example.com", MODEL);
  await rate(page, 5, "Ada L.", "Better than I thought.");
  expect((await notice(page)).includes("edited") && (await mean(page)) === "3.0", `${await notice(page)} ${await mean(page)}`);
  await page.locator("#ratings details.more > summary").click();
  await page.getByRole("button", { name: "Delete your rating" }).click();
  await page.waitForURL(/done=deleted/);
  expect((await mean(page)) === "1.0", await mean(page));
}

/** What axe, the policy and the layout say of both pages, with everything on them open. */
function looked(path, email) {
  return async (page, complaints) => {
    await signIn(page, email, path);
    for (const summary of await page.locator("main details:not(.side) > summary").all()) {
      if (await summary.isVisible()) await summary.click();
    }
    complaints.push(...(await judge(page)), ...(await accessible(page)));
  };
}

const checks = [
  ["without a rating there is no section", nobodyHasRated, {}],
  ["somebody rates and comments", adaRates, {}],
  ["without scripts, somebody rates, and reports a comment", bobRatesAndReports, { scripts: false }],
  ["the ratings hold together", looked(MODEL, "bob@example.com"), {}],
  ["the ratings hold together, narrow and dark", looked(MODEL, "bob@example.com"), { width: 390, scheme: "dark" }],
  ["the queue holds together", looked("/console/moderation", "ops@example.com"), {}],
  ["the queue holds together, narrow and dark", looked("/console/moderation", "ops@example.com"), { width: 390, scheme: "dark" }],
  ["who runs the place hides what was reported", whoRunsItHides, {}],
  ["only its author sees what is hidden, and why", onlyAdaSeesIt, { scripts: false }],
  ["without scripts, it is shown again", itIsShownAgain, { scripts: false }],
  ["somebody edits and deletes their own", adaEditsAndDeletes, {}],
];

await post("/v1/auth/accept", { token: await written(/accept\?token=(mt_[A-Za-z0-9_-]+)/), email: "ops@example.com", password: PASSWORD });
await come("ada@example.com");
await come("bob@example.com");
await runChecks(base, checks);
