// Usage: node site_browse.mjs PLACE=BASE_URL... Uses the site as people do: by keyboard alone, without scripts, and with them. Each
// check that fails is named; any is a failure of the whole.
import { expect, places, runChecks } from "./site_browser.mjs";
import { consolePages } from "./console_pages.mjs";
import { pages } from "./site_pages.mjs";

const much = places().get("much");
const MODEL = "/mistralai/mistral-small-2603";
/** More stops than any page has: a page where Tab never comes back is a trap. */
const STOPS_MAX = 1_500;

/** Marks what can be reached and can be seen; of a group of radio buttons the keyboard stops at one. */
function markStops() {
  const radios = new Set();
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const stops = all.filter((one) => {
    if (one.disabled || !one.checkVisibility({ visibilityProperty: true })) return false;
    if (one.type !== "radio") return true;
    if (radios.has(one.name)) return false;
    radios.add(one.name);
    return true;
  });
  window.stops = new Map(stops.map((one) => [one.type === "radio" ? one.name : one, one]));
  return stops.length;
}

/** Where the focus is: whether it can be seen, and that it was here. */
function note() {
  const one = document.activeElement;
  if (!one || one === document.body) return { isEnd: true };
  window.stops.delete(one.type === "radio" ? one.name : one);
  const style = getComputedStyle(one);
  const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const box = one.getBoundingClientRect();
  const isOnScreen = box.bottom > 0 && box.top < innerHeight;
  // A dot of a chart is a line of no length, whose round ends are seen and grow: it has no box.
  const dot = one.querySelector(".chart-dot");
  const isGrown = dot !== null && parseFloat(getComputedStyle(dot).strokeWidth) >= 18;
  const isFramed = (isOutlined || style.boxShadow !== "none") && box.width > 0 && box.height > 0;
  return { isEnd: false, isSeen: isOnScreen && (isGrown || isFramed), what: one.outerHTML.slice(0, 120) };
}

async function byKeyboard(page, path) {
  await page.goto(much + path, { waitUntil: "load" });
  const count = await page.evaluate(markStops);
  const unseen = [];
  for (let stop = 0; ; stop += 1) {
    expect(stop < STOPS_MAX, `Tab does not leave the page after ${STOPS_MAX} stops`);
    await page.keyboard.press("Tab");
    const at = await page.evaluate(note);
    if (at.isEnd) break;
    if (!at.isSeen) unseen.push(at.what);
  }
  expect(unseen.length === 0, `focus is not seen at ${unseen.length} of ${count}: ${unseen.slice(0, 3).join(" | ")}`);
  const missed = await page.evaluate(() => [...window.stops.values()].map((one) => one.outerHTML.slice(0, 120)));
  expect(missed.length === 0, `Tab misses ${missed.length} of ${count}: ${missed.slice(0, 3).join(" | ")}`);
}

/** How many models the list says that there are. */
async function total(page) {
  return parseInt((await page.locator("#list [role=status] b").textContent()).replaceAll(",", ""), 10);
}

async function searchWithoutScripts(page) {
  await page.goto(`${much}/models`);
  const all = await total(page);
  await page.fill("input[name=q]", "mistral");
  await page.click("form#browse button[type=submit]");
  await page.waitForURL(/[?&]q=mistral/);
  const found = await total(page);
  expect(found > 0 && found < all, `${found} of ${all} found`);
  expect((await page.locator("#list tbody th a").first().textContent()).trim() !== "", "no row");
}

async function filterWithoutScripts(page) {
  await page.goto(`${much}/models`);
  const all = await total(page);
  const facet = page.locator("details[open] input[type=checkbox][form=browse]").first();
  const name = await facet.getAttribute("name");
  await facet.check();
  await page.locator("button[form=browse][type=submit]").click();
  await page.waitForURL(new RegExp(`[?&]${name}=`));
  const found = await total(page);
  expect(found > 0 && found < all, `${found} of ${all} left`);
  await page.locator("ul[aria-label='Chosen filters'] a").first().click();
  await page.waitForURL((url) => !url.searchParams.has(name));
  expect((await total(page)) === all, "taking the filter away does not bring all back");
}

async function searchAsOneTypes(page) {
  await page.goto(`${much}/models`);
  const all = await total(page);
  await page.evaluate(() => (window.isSame = true));
  await page.locator("input[name=q]").pressSequentially("mistral");
  await page.waitForURL(/[?&]q=mistral/);
  await page.waitForFunction((all) => parseInt(document.querySelector("#list [role=status] b").textContent.replaceAll(",", ""), 10) < all, all);
  expect(await page.evaluate(() => window.isSame === true), "the page was loaded again");
  expect((await page.evaluate(() => document.activeElement.name)) === "q", "the focus left the field");
  const shown = await total(page);
  await page.reload();
  expect((await total(page)) === shown, "the address shows something else than the page did");
}

/** The values of a column as the table shows them, unknown ones as null. */
function column(page, at) {
  return page.$$eval("#providers table[data-sort] tbody tr", (rows, at) => rows.map((row) => row.cells[at].dataset.value ?? null), at);
}

function isOrdered(values, up) {
  const known = values.filter((value) => value !== null).map(Number);
  const isLast = values.slice(known.length).every((value) => value === null);
  return isLast && known.every((value, at) => at === 0 || (up ? known[at - 1] <= value : known[at - 1] >= value));
}

async function sortOffers(page) {
  await page.goto(`${much}/moonshotai/kimi-k2.6`);
  const before = await column(page, 1);
  const head = page.locator("#providers table[data-sort] thead th").nth(1).locator("button");
  await head.click();
  const up = await column(page, 1);
  await head.click();
  const down = await column(page, 1);
  expect(before.length > 5 && isOrdered(up, true) && isOrdered(down, false), `${before} | ${up} | ${down}`);
  expect(up.join() !== down.join(), "both orders are the same");
}

async function sourcesOfAFact(page) {
  await page.goto(much + MODEL);
  const fact = page.locator("#overview table.facts tr", { hasText: "Context" }).first().locator("details.src");
  expect(!(await fact.locator("ul.from").isVisible()), "sources are open before anybody asked");
  await fact.locator("summary").click();
  const sources = fact.locator("ul.from li");
  expect((await sources.count()) >= 2, "a disputed fact has fewer than two sources");
  expect(await sources.first().isVisible(), "a click does not open the sources");
  expect((await sources.first().locator("a[href^=http]").count()) > 0, "a source has no address");
}

async function menuOfNarrowScreens(page) {
  await page.goto(`${much}/models`);
  const menu = page.locator("header details.menu");
  const link = menu.getByRole("link", { name: "Providers" });
  expect(!(await page.locator("header nav.wide").isVisible()), "the wide navigation is shown on a narrow screen");
  expect(!(await link.isVisible()), "the menu is open before anybody asked");
  await page.locator("header details.menu summary").focus();
  await page.keyboard.press("Enter");
  await link.click();
  expect(new URL(page.url()).pathname === "/providers", "the menu does not lead to the providers");
}

async function everySectionIsLookedAt(page) {
  await page.goto(`${much}/`);
  const paths = await page.$$eval("header nav a", (links) => links.map((link) => new URL(link.href).pathname));
  const known = new Set([...pages, ...consolePages].map(([, path]) => path.split("?")[0]));
  const missing = paths.filter((path) => !known.has(path));
  expect(missing.length === 0, `no row in site_pages.mjs for ${missing}`);
}

const checks = [
  ["without scripts, search finds", searchWithoutScripts, { scripts: false }],
  ["without scripts, filters narrow and can be taken away", filterWithoutScripts, { scripts: false }],
  ["without scripts, a fact opens to its sources", sourcesOfAFact, { scripts: false }],
  ["on a narrow screen, without scripts, the menu leads on", menuOfNarrowScreens, { scripts: false, width: 390 }],
  ["the list follows what one types", searchAsOneTypes, {}],
  ["offers are sorted by a click", sortOffers, {}],
  ["a fact opens to its sources", sourcesOfAFact, {}],
  ["every section has its row among the pages", everySectionIsLookedAt, {}],
  ...pages
    .filter(([name, , where]) => where.includes("much") && name !== "home")
    .map(([name, path]) => [`by keyboard: ${name}`, (page) => byKeyboard(page, path), {}]),
];

await runChecks(much, checks);
