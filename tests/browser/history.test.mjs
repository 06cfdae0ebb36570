// The past: the history and the days behind the bars, by every hand; and the widget on somebody else's page.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { start } from "./demo.mjs";
import { faults } from "./look.mjs";

// The demo's partner API was out of reach 71 days ago: long before the list of past days begins.
const DAY = 89 - 71;
const TITLE = "Partner API out of reach";
let demo, browser, base, api;

before(async () => {
  demo = await start();
  ({ browser, base } = demo);
  const page = await browser.newPage();
  await page.goto(base);
  api = await page.locator("a.name", { hasText: "Partner API" }).getAttribute("href");
  await page.close();
}, { timeout: 60_000 });

after(() => demo?.stop());

// Where a day's bar is, after its group is opened.
async function bar(page, index) {
  await page.locator("details.group", { hasText: "Partner API" }).evaluate(group => { group.open = true; });
  const svg = page.locator(`.row:has(a[href="${api}"]) .bars svg`);
  await svg.scrollIntoViewIfNeeded();
  const box = await svg.boundingBox();
  return { x: box.x + (index + 0.4) * box.width / 90, y: box.y + box.height / 2 };
}

test("every path that a visitor can take reads well and fits", async () => {
  const paths = ["history", api.slice(1), "subscribe", "embed", "nowhere"];
  for (const width of [360, 768, 1440]) for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const page = await context.newPage();
    for (const path of paths) {
      await page.goto(base + path);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${path} at ${width} px`);
      assert.deepEqual(await faults(page), [], `${path} at ${width} px, ${colorScheme}`);
    }
    await context.close();
  }
});

test("without JavaScript a visitor finds what happened 71 days ago", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(base);
  await page.getByRole("link", { name: "All past incidents and maintenance" }).click();
  await page.getByRole("link", { name: TITLE }).click();
  assert.match(await page.textContent("main"), /The cause is found and mended/);
  await page.goto(base.slice(0, -1) + api);
  const row = page.locator("#days tr", { hasText: TITLE });
  assert.match(await row.textContent(), /18 min major outage/);
  await context.close();
});

test("a mouse on an old bar shows the day with a link to its incident", async () => {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  await page.goto(base);
  const { x, y } = await bar(page, DAY);
  await page.mouse.move(x, y);
  assert.match(await page.textContent(".day"), new RegExp(`Major outage18 min.*${TITLE}`));
  await page.locator(".day a").click();
  assert.equal(await page.textContent("h1"), TITLE);
  await page.close();
});

test("a keyboard walks to the day, into its link, and back", async () => {
  const page = await browser.newPage({ viewport: { width: 1000, height: 900 } });
  await page.goto(base);
  await bar(page, DAY);
  const bars = page.locator(`.row:has(a[href="${api}"]) .bars`);
  await page.locator(`a[href="${api}"]`).first().focus();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Home");
  for (let n = 0; n < DAY; n++) await page.keyboard.press("ArrowRight");
  assert.match(await bars.getAttribute("aria-valuetext"), new RegExp(`18 min major outage. ${TITLE}. Enter goes to the link`));
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), TITLE);
  await page.keyboard.press("Escape");
  assert.equal(Number(await bars.getAttribute("aria-valuenow")), DAY + 1, "back at the same day");
  assert.ok(await bars.evaluate(element => element === document.activeElement));
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/incidents\//);
  await page.close();
});

test("a finger on an old bar shows the day", async () => {
  const context = await browser.newContext({ viewport: { width: 360, height: 800 }, hasTouch: true, isMobile: true });
  const page = await context.newPage();
  await page.goto(base);
  await page.locator("#more-days").check();
  const { x, y } = await bar(page, DAY);
  await page.touchscreen.tap(x, y);
  assert.match(await page.textContent(".day"), new RegExp(TITLE));
  await context.close();
});

test("the widget lives in a frame on another site, and nothing else does", async () => {
  const other = createServer((request, answer) => {
    // The strictest page there is: isolated, and everything it shows must agree to that.
    answer.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    answer.setHeader("Content-Type", "text/html");
    answer.end(`<iframe id="widget" src="${base}embed?theme=dark" title="Status"></iframe><iframe id="page" src="${base}" title="Page"></iframe><img id="badge" src="${base}badge.svg" alt="">`);
  });
  await new Promise(done => other.listen(0, "127.0.0.1", done));
  const page = await browser.newPage();
  await page.goto(`http://localhost:${other.address().port}/`);
  await page.waitForLoadState("networkidle");
  const widget = page.frameLocator("#widget");
  assert.match(await widget.locator("h1").textContent(), /All systems operational|outage/);
  assert.equal(await widget.locator("html").evaluate(html => getComputedStyle(html).backgroundColor), "rgb(22, 30, 39)", "styled, and dark");
  assert.equal(await page.frameLocator("#page").locator("#now").count(), 0, "the page itself refuses");
  assert.ok(await page.evaluate(() => document.getElementById("badge").naturalWidth > 0), "the badge shows");
  await page.reload();
  await page.waitForLoadState("networkidle");
  assert.ok(await page.evaluate(() => document.getElementById("badge").naturalWidth > 0), "also when it is asked for again");
  const [opened] = await Promise.all([page.waitForEvent("popup"), widget.locator("h1 a").click()]);
  assert.equal(opened.url(), base);
  await page.close();
  other.close();
});
