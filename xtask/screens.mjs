// Usage: node screens.mjs BASE_URL OUT_DIR. Opens every page at every size and in both colour schemes, writes a picture of
// each, and fails on a console error, a failed or foreign request, a page that scrolls sideways, or one without a title.
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.TOLLWAY_SCREENS_NODE_DIR, "package.json"));
const { chromium } = require("playwright-core");

const [base, out] = process.argv.slice(2);
const pages = [["home", "/"]];
const widths = [390, 1280];
const schemes = ["light", "dark"];

async function visit(browser, [name, path], width, scheme) {
  const complaints = [];
  const context = await browser.newContext({
    viewport: { width, height: 844 },
    colorScheme: scheme,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.origin !== base && url.protocol !== "data:") complaints.push(`foreign request: ${request.url()}`);
  });
  page.on("requestfailed", (request) => complaints.push(`failed request: ${request.url()}`));
  const answer = await page.goto(base + path, { waitUntil: "load" });
  if (answer.status() !== 200) complaints.push(`status ${answer.status()}`);
  if (!(await page.title()).trim()) complaints.push("no title");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (overflow > 0) complaints.push(`scrolls sideways by ${overflow} px`);
  await page.screenshot({ path: join(out, `${name}-${width}-${scheme}.png`), fullPage: true });
  await context.close();
  return complaints;
}

const browser = await chromium.launch({
  executablePath: process.env.TOLLWAY_SCREENS_CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
let failed = 0;
for (const page of pages) {
  for (const width of widths) {
    for (const scheme of schemes) {
      const complaints = await visit(browser, page, width, scheme);
      failed += complaints.length;
      console.log(`${complaints.length ? "FAIL" : "ok  "} ${page[1]} ${width} ${scheme}`);
      for (const complaint of complaints) console.log(`       ${complaint}`);
    }
  }
}
await browser.close();
process.exitCode = failed ? 1 : 0;
