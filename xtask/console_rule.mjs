// Usage: TOLLWAY_OWNER_TOKEN=mt_... node console_rule.mjs real=BASE_URL. The pages of what is ruled, as people use them: a policy typed,
// tried, replayed and saved; a guardrail switched on and seen working; a key capped and stopped. With scripts and without; and every such
// page as axe, the browser and a narrow screen see it, with nothing in it and with something.
import { accessible, expect, judge, places, runChecks, signIn } from "./site_browser.mjs";

const base = places().get("real");
const PASSWORD = "nine purple lanterns drift";

/** Every page of what is ruled. */
const PAGES = [
  "/console/keys", "/console/keys/new", "/console/budgets", "/console/account", "/console/members", "/console/projects", "/console/settings",
  "/console/credits", "/console/invoices", "/console/provider-keys", "/console/presets", "/console/presets/new", "/console/policies",
  "/console/policies/new", "/console/guardrails", "/console/approved-models", "/console/access-lists/new", "/console/groups/new",
  "/console/privacy", "/console/webhooks",
];
const POLICY = '{"models": ["sandbox/echo"]}';

async function call(key, model, text) {
  const body = JSON.stringify({ model, messages: [{ role: "user", content: text }] });
  const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
  return fetch(`${base}/v1/chat/completions`, { method: "POST", headers, body });
}

/** A key made on the page, as its text shows it. */
async function makeKey(page, name) {
  await page.goto(`${base}/console/keys/new`);
  await page.fill("input[name=name]", name);
  await page.getByRole("button", { name: "Make the key" }).click();
  return (await page.locator(".secret code").textContent()).trim();
}

async function policyIsTriedAndSaved(page) {
  const key = await makeKey(page, "tries policies");
  await page.goto(`${base}/console/policies/new`);
  await page.fill("textarea[name=policy]", POLICY);
  await page.fill("input[name=name]", "tried");
  await page.getByRole("button", { name: "Dry run" }).click();
  expect((await page.locator("#tried tbody tr").first().textContent()).includes("echo"), "the dry run names no endpoint");
  expect((await page.inputValue("textarea[name=policy]")) === POLICY, "what was typed is gone after the dry run");
  await page.getByRole("button", { name: "Replay" }).click();
  expect((await page.locator("#tried").textContent()).includes("What happened"), "the replay compares nothing");
  await page.getByRole("button", { name: "Make the policy" }).click();
  await page.waitForURL(/policies\/tried\?done=saved/);
  expect((await call(key, "policy/tried", "Hello")).ok, "the policy serves nothing");
}

async function guardrailIsSeenWorking(page) {
  const key = await makeKey(page, "is guarded");
  await page.goto(`${base}/console/guardrails`);
  await page.selectOption("select[name=email]", "block");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/guardrails\?done=saved/);
  const refused = await call(key, "sandbox/echo", "write to ada@example.com");
  expect(refused.status === 403, `a mail address passes: ${refused.status}`);
  await page.locator("summary", { hasText: "Take them all away" }).click();
  await page.getByRole("button", { name: "Take them away" }).click();
  await page.waitForURL(/guardrails\?done=deleted/);
  expect((await call(key, "sandbox/echo", "write to ada@example.com")).ok, "what was taken away still holds");
}

/** Within three clicks of the overview: a key is capped, and a runaway is stopped. */
async function runawayIsStopped(page) {
  const key = await makeKey(page, "runs away");
  await page.goto(`${base}/console`);
  await page.locator("nav.side.wide").getByRole("link", { name: "Keys", exact: true }).click();
  expect((await page.locator("dl.asks").textContent()).includes("To cap a key"), "the page does not say how to cap a key");
  await page.getByRole("link", { name: "runs away" }).click();
  await page.fill("input[name=limit]", "5");
  await page.selectOption("select[name=limit_reset]", "daily");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/done=saved/);
  expect((await page.locator("dl.stats").textContent()).includes("of $5.00 a day"), "the limit is not shown");
  await page.goto(`${base}/console/keys`);
  await page.getByRole("button", { name: "Stop runs away" }).click();
  await page.waitForURL(/keys\?done=stopped/);
  const refused = await call(key, "sandbox/echo", "Hello");
  expect(refused.status === 401, `a key that was stopped is answered ${refused.status}`);
}

async function whatIsWrongIsSaid(page) {
  await page.goto(`${base}/console/keys/new`);
  await page.fill("input[name=name]", "wrong");
  await page.fill("input[name=limit]", "much");
  await page.getByRole("button", { name: "Make the key" }).click();
  expect(await page.getByRole("alert").isVisible(), "nothing says what is wrong");
  expect((await page.inputValue("input[name=limit]")) === "much", "what was typed is gone");
}

/** The owner comes in by what the first start printed, and is signed in. What the form is refused for is no complaint: the page says it. */
async function comesIn(page, complaints) {
  await page.goto(`${base}/accept?token=${process.env.TOLLWAY_OWNER_TOKEN}`);
  if (await page.locator("input[name=email]").count()) {
    await page.fill("input[name=email]", "owner@example.com");
    await page.fill("input[name=password]", PASSWORD);
    await page.click("form button.main");
  }
  await signIn(page, base, "owner@example.com", PASSWORD, "/console");
  complaints.length = 0;
}

/** Every page as it is now: nothing serious, nothing that moves, nothing beyond the edge. */
async function pagesAreWell(page, complaints) {
  for (const path of PAGES) {
    await page.goto(base + path, { waitUntil: "load" });
    for (const one of [...(await judge(page)), ...(await accessible(page))]) complaints.push(`${path}: ${one}`);
    expect((await page.locator("h1").count()) === 1, `${path} has not one h1`);
    expect((await page.locator("details.calls figure").count()) > 0 || path === "/console/account", `${path} shows no call`);
  }
}

/** Something on every page: a name that would like to run, a budget, a project, a preset, a webhook. */
async function filled(page) {
  const hostile = "<img src=x onerror=alert(1)>";
  const forms = [
    ["/console/budgets", { amount_usd: "200" }, "Make the budget"],
    ["/console/projects", { slug: "web", name: hostile }, "Make the project"],
    ["/console/presets/new", { slug: "support", name: hostile, system_prompt: "</textarea><script>alert(1)</script>" }, "Make the preset"],
    ["/console/access-lists/new", { name: "coding", description: hostile, models: "mistralai/*" }, "Make the list"],
    ["/console/groups/new", { name: "engineers", description: hostile }, "Make the group"],
  ];
  for (const [path, fields, button] of forms) {
    await page.goto(base + path);
    for (const [name, value] of Object.entries(fields)) await page.locator(`form [name=${name}]`).first().fill(value);
    await page.getByRole("button", { name: button }).click();
    await page.waitForURL(/done=/);
  }
  await page.goto(`${base}/console/members`);
  await page.locator("section[aria-labelledby=programs] input[name=name]").fill(hostile);
  await page.getByRole("button", { name: "Make it" }).click();
  await page.waitForURL(/done=made/);
  await makeKey(page, hostile);
  expect((await page.locator("main img[src=x], main script").count()) === 0, "a name became an element");
}

const SIZES = [{ width: 1280 }, { width: 390, scheme: "dark" }];
const checks = [
  ...SIZES.map((size) => [`pages with nothing in them, ${size.width} px`, pagesAreWell, size]),
  ["everything is filled by forms", filled, {}],
  ["a policy is tried, replayed and saved", policyIsTriedAndSaved, {}],
  ["the same without scripts, of a guardrail that is seen working", guardrailIsSeenWorking, { scripts: false }],
  ["a key is capped and stopped within three clicks", runawayIsStopped, {}],
  ["a form says what is wrong and keeps what was typed", whatIsWrongIsSaid, { expected: /status of 400/ }],
  ...SIZES.map((size) => [`pages with something in them, ${size.width} px`, pagesAreWell, size]),
];

await runChecks(base, checks, comesIn);
