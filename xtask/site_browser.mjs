// What the scripts that drive Chromium share: the browser, and a page that writes down what goes wrong on it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(join(process.env.TOLLWAY_SCREENS_NODE_DIR, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** How much of what is seen may move while a page loads; 0.1 is what Web Vitals call good. Ours don't move. */
const SHIFT_MAX = 0.01;

export function launch() {
  return chromium.launch({
    executablePath: process.env.TOLLWAY_SCREENS_CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}

export function expect(is, what) {
  if (!is) throw new Error(what);
}

/** The places that the command line names: `much=http://...`. */
export function places() {
  return new Map(process.argv.slice(2).map((place) => [place.slice(0, place.indexOf("=")), place.slice(place.indexOf("=") + 1)]));
}

/** What a program has written to its log so far, once `find` finds something in it. */
export async function written(log, find) {
  for (let tries = 0; tries < 600; tries += 1) {
    const found = readFileSync(log, "utf8").match(find);
    if (found) return found[1];
    await sleep(50);
  }
  throw new Error(`nobody ever wrote ${find}`);
}

/** Signs in over the form, and ends at a path of the site. */
export async function signIn(page, base, email, password, path) {
  await page.goto(`${base}/sign-in?next=${encodeURIComponent(path)}`);
  await page.fill("input[name=email]", email);
  await page.fill("input[name=password]", password);
  await page.click("main button[type=submit]");
  await page.waitForURL((url) => url.pathname === path.split(/[?#]/)[0]);
}

/** Runs checks one after the other, each on a page of its own, and names what fails; any failure is one of the whole. A check is a name, what
 * is done with the page and the list of its complaints, and options of `open`; a complaint that fits `expected` is none. `prepare` is done
 * before each. */
export async function runChecks(base, checks, prepare = async () => {}) {
  const browser = await launch();
  let failed = 0;
  for (const [name, check, options] of checks) {
    const state = typeof options.state === "function" ? options.state() : options.state;
    const { page, complaints, close } = await open(browser, base, { ...options, state });
    page.setDefaultTimeout(20_000);
    try {
      await prepare(page, complaints);
      await check(page, complaints);
    } catch (error) {
      complaints.push(`${error.message.split("\n").slice(0, 5).join(" ").slice(0, 700)} (at ${page.url()})`);
    }
    const counted = complaints.filter((one) => !options.expected?.test(one));
    await close();
    failed += counted.length;
    console.log([`${counted.length ? "FAIL" : "ok  "} ${name}`, ...counted.map((one) => `       ${one}`)].join("\n"));
  }
  await browser.close();
  console.log(`${checks.length} checks`);
  process.exitCode = failed ? 1 : 0;
}

/** A page in a context of its own, for whoever has the cookie, and the list of what goes wrong on it. It asks nobody but `base` and `friends`. */
export async function open(browser, base, { width = 1280, scheme = "light", scripts = true, statuses = [200], cookie = null, state, friends = [] } = {}) {
  const complaints = [];
  const context = await browser.newContext({
    viewport: { width, height: 844 },
    colorScheme: scheme,
    reducedMotion: "reduce",
    javaScriptEnabled: scripts,
    storageState: state,
  });
  if (cookie) {
    const at = cookie.indexOf("=");
    await context.addCookies([{ name: cookie.slice(0, at), value: cookie.slice(at + 1), url: base }]);
  }
  const page = await context.newPage();
  page.on("console", (message) => {
    const isOfStatus = message.text().includes("status of 404") && statuses.includes(404);
    if (["error", "warning"].includes(message.type()) && !isOfStatus) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (![base, ...friends].includes(url.origin) && url.protocol !== "data:") complaints.push(`foreign request: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    // A question that a newer one overtook is given up by our own script.
    if (request.failure()?.errorText !== "net::ERR_ABORTED") complaints.push(`failed request: ${request.url()}`);
  });
  if (scripts) await page.addInitScript(watch);
  const close = () => context.close();
  return { page, complaints, close };
}

/** Runs in the page before anything of its own. */
function watch() {
  window.seen = { shift: 0, violations: [] };
  const add = (list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.seen.shift += entry.value;
  };
  new PerformanceObserver(add).observe({ type: "layout-shift", buffered: true });
  document.addEventListener("securitypolicyviolation", (event) => {
    window.seen.violations.push(`${event.violatedDirective} ${event.blockedURI}`);
  });
}

/** What the page itself says after it has loaded: policy reports, movement, sideways scrolling, and axe's findings. */
export async function judge(page) {
  const complaints = [];
  const seen = await page.evaluate(() => window.seen);
  for (const violation of seen.violations) complaints.push(`policy: ${violation}`);
  if (seen.shift > SHIFT_MAX) complaints.push(`moves while it loads: ${seen.shift.toFixed(3)}`);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) complaints.push(`scrolls sideways by ${overflow} px`);
  if (!(await page.title()).trim()) complaints.push("no title");
  return complaints;
}

/** Serious and critical findings of axe-core, each with the first elements that it is about. */
export async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  return bad.map((one) => {
    const first = one.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}: ${node.failureSummary.split("\n")[1]?.trim()}`);
    return `axe ${one.id} (${one.impact}, ${one.nodes.length} times): ${first.join(" | ")}`;
  });
}
