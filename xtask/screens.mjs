// Usage: node screens.mjs OUT_DIR PLACE=BASE_URL... Opens every page at every size and in both colour schemes, writes a picture of
// each and all of them on one sheet, and fails on a console error, a report of the policy, a failed or foreign request, a page
// that moves or scrolls sideways, one without a title, and a serious finding of axe-core.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { consolePages } from "./console_pages.mjs";
import { accessible, judge, launch, open } from "./site_browser.mjs";
import { pages } from "./site_pages.mjs";

const [out, ...rest] = process.argv.slice(2);
const places = new Map(rest.map((place) => [place.slice(0, place.indexOf("=")), place.slice(place.indexOf("=") + 1)]));
const widths = [390, 1280];
const schemes = ["light", "dark"];
/** Pages that are open at once. */
const AT_ONCE = 3;

/** The test run looks at each page narrow and dark, wide and light; `cargo xtask screens` at all four. */
const isSample = process.env.TOLLWAY_SCREENS_SAMPLE === "1";

const looksOf = (name) =>
  widths
    .flatMap((width) => schemes.map((scheme) => ({ width, scheme, file: `${name}-${width}-${scheme}.png` })))
    .filter(({ width, scheme }) => !isSample || (width === 390) === (scheme === "dark"));
const shots = pages.flatMap(([name, path, where]) =>
  where.map((place) => ({ name, path, place, base: places.get(place), looks: looksOf(`${name}-${place}`) })),
);
// The console has one server, and an organization for each amount of data.
const made = JSON.parse(readFileSync(process.env.TOLLWAY_CONSOLE_MADE, "utf8"));
for (const [name, path, where] of consolePages) {
  for (const place of where) {
    const { cookie, ids } = made[place];
    const full = path.replaceAll(/\{(\w+)\}/g, (_, id) => encodeURIComponent(ids[id]));
    const called = `console-${name}`;
    shots.push({ name: called, path: full, place, base: places.get("console"), cookie, looks: looksOf(`${called}-${place}`) });
  }
}

async function visit(browser, { name, path, base, cookie }, { width, scheme, file }) {
  const statuses = name === "not-found" ? [404] : [200];
  const { page, complaints, close } = await open(browser, base, { width, scheme, statuses, cookie });
  const answer = await page.goto(base + path, { waitUntil: "load" });
  if (!statuses.includes(answer.status())) complaints.push(`status ${answer.status()}`);
  complaints.push(...(await judge(page)));
  await page.screenshot({ path: join(out, file), fullPage: true });
  complaints.push(...(await accessible(page)));
  await close();
  return complaints;
}

/** One sheet: a row for each page and place, a column for each size and scheme, the top of each picture. */
function sheet() {
  const columns = widths.flatMap((width) => schemes.map((scheme) => `<th>${width} px, ${scheme}</th>`)).join("");
  const rows = shots.map(({ name, path, place, looks }) => {
    const cells = widths.flatMap((width) => schemes.map((scheme) => looks.find((look) => look.width === width && look.scheme === scheme))).map((look) => {
      if (!look) return "<td></td>";
      const { width, file } = look;
      return `<td><a href="${file}"><img class="w${width}" src="${file}" alt="${name}, ${file}"></a></td>`;
    });
    return `<tr><th scope="row">${name}<br><code>${path.replaceAll("&", "&amp;")}</code><br>${place}</th>${cells.join("")}</tr>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Pages</title><style>
body{font:14px/1.4 system-ui,sans-serif;margin:16px;background:#888;color:#000}
table{border-spacing:12px}th{text-align:left;vertical-align:top;max-width:180px;overflow-wrap:anywhere}
img{display:block;object-fit:cover;object-position:top;height:330px}.w390{width:152px}.w1280{width:500px}
</style><h1>Every page, at both sizes, light and dark</h1><table><tr><th>Page</th>${columns}</tr>${rows.join("\n")}</table></html>`;
}

const browser = await launch();
let failed = 0;
const queue = shots.flatMap((shot) => shot.looks.map((look) => [shot, look]));
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [shot, look] = next;
      const complaints = await visit(browser, shot, look).catch((error) => [`could not be looked at: ${error.message}`]);
      failed += complaints.length;
      const lines = complaints.map((complaint) => `       ${complaint}`);
      console.log([`${complaints.length ? "FAIL" : "ok  "} ${shot.place} ${shot.path} ${look.width} ${look.scheme}`, ...lines].join("\n"));
    }
  }),
);
writeFileSync(join(out, "index.html"), sheet());
const whole = await browser.newPage({ viewport: { width: 1640, height: 900 } });
await whole.goto(pathToFileURL(join(out, "index.html")).href, { waitUntil: "load" });
await whole.screenshot({ path: join(out, "sheet.png"), fullPage: true });
await browser.close();
console.log(`${shots.reduce((sum, shot) => sum + shot.looks.length, 0)} pictures; all on one sheet: ${join(out, "sheet.png")}`);
process.exitCode = failed ? 1 : 0;
