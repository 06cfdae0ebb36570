// What makes the console quick to use: the bar of a phone, finding, row keys, order by buttons and by drag, colours, audit, metrics and the page.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start } from "./demo.mjs";
import { looker } from "./look.mjs";

const PASSWORD = "violin harbour sandpaper";
const PHONE = { width: 390, height: 780 };
const WIDE = { width: 1280, height: 900 };
let demo, browser, base, page, violations;

before(async () => {
  demo = await start();
  ({ browser, base } = demo);
  [page, violations] = await opened(await browser.newContext({ viewport: WIDE }));
  await page.goto(demo.setUp);
  await page.fill("#name", "Grace Hopper");
  await page.fill("#email", "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
}, { timeout: 60_000 });

after(() => demo?.stop());

/** A tab that notes what the policy refuses and what goes anywhere else. */
async function opened(context) {
  const tab = await context.newPage();
  const noted = [];
  tab.on("console", message => { if (/Content Security Policy|Trusted/.test(message.text())) noted.push(message.text()); });
  tab.on("pageerror", error => noted.push(String(error)));
  tab.on("request", request => { if (!request.url().startsWith(base) && !request.url().startsWith("data:")) noted.push(request.url()); });
  return [tab, noted];
}

const withoutViolations = looker("tools", { widths: [360, 768, WIDE.width], size: WIDE });

/** The same person in a browser that runs no scripts. */
async function withoutScripts() {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: PHONE });
  await context.addCookies(await page.context().cookies());
  return context.newPage();
}

const names = async () => (await page.locator("[data-order] .what > a").allTextContents()).map(name => name.trim());

test("a phone has four places at hand and the others in a sheet, without scripts", async () => {
  const tab = await withoutScripts();
  await tab.goto(`${base}console/`);
  for (const name of ["Now", "Incidents", "Maintenance", "Components"]) {
    const { y, height } = await tab.locator(`.at-hand a:has-text("${name}")`).boundingBox();
    assert.ok(y > 690 && y + height <= PHONE.height, `${name} stands at the bottom: ${y}`);
  }
  assert.ok(!await tab.isVisible("nav >> text=Audit"));
  await tab.click(".rail .more");
  await tab.waitForSelector("nav >> text=Audit");
  await tab.keyboard.press("Escape");
  assert.ok(!await tab.isVisible("nav >> text=Audit"), "Escape closes it");
  await tab.click(".rail .more");
  await tab.click("nav >> text=Audit");
  await tab.waitForURL(/console\/audit/);
  await tab.goto(`${base}console/search?q=audit`);
  assert.match(await tab.textContent(".found"), /Export the audit log/);
  await tab.context().close();

  await page.setViewportSize(PHONE);
  await page.click(".rail .more");
  await withoutViolations(page, "sheet");
  assert.ok(await page.isVisible("nav >> text=What comes in") && !await page.isVisible(".rail .more"), "where there is room all of it is there");
});

test("colours are chosen, kept in this browser, and follow the device again", async () => {
  await page.goto(`${base}console/`);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.selectOption("#theme", "dark");
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), dark);
  await page.selectOption("#theme", "");
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(), dark);
  await page.emulateMedia({ colorScheme: "light" });
});

test("Ctrl+K finds a component and leads there by keyboard alone", async () => {
  await page.goto(`${base}console/components`);
  const [first] = await names();
  await page.keyboard.press("Control+k");
  await page.waitForSelector("#found >> text=New incident");
  await withoutViolations(page, "finder");
  await page.keyboard.type(first.toLowerCase());
  await page.waitForSelector(`#found section:has-text("Components") >> text=${first}`);
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.evaluate(() => document.activeElement.closest("#found") !== null), true);
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.evaluate(() => document.activeElement.id), "finder-q");
  await page.keyboard.press("Enter");
  await page.waitForURL(/console\/components\/\d+$/);
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Escape");
  assert.ok(!await page.isVisible("#finder"));
  await page.click("#find");
  await page.keyboard.type("<img src=x onerror=alert(1)>");
  await page.waitForSelector("#found >> text=Nothing is called “<img");
  await page.keyboard.press("Enter");
  await page.waitForURL(/console\/search/);
  await withoutViolations(page, "search");
});

test("j and k walk the rows, leave fields alone, and can be switched off", async () => {
  await page.goto(`${base}console/components`);
  const here = () => page.evaluate(() => document.activeElement.textContent.trim());
  const [first, second] = await names();
  await page.keyboard.press("j");
  assert.equal(await here(), first);
  await page.keyboard.press("j");
  assert.equal(await here(), second);
  await page.keyboard.press("k");
  assert.equal(await here(), first);
  await page.focus("#name");
  await page.keyboard.type("jk");
  assert.equal(await page.inputValue("#name"), "jk");
  await page.uncheck("#row-keys");
  await page.reload();
  await page.keyboard.press("j");
  assert.notEqual(await here(), first);
  await page.check("#row-keys");
});

test("components are put in order by buttons, by keyboard and by drag, and each move is undone", async () => {
  await page.goto(`${base}console/components`);
  const before = await names();
  const [first, second, third] = before;
  await page.focus(`[aria-label="Move ${first} down"]`);
  await page.keyboard.press("Enter");
  await page.waitForSelector(`.undo:has-text("${first}")`);
  assert.deepEqual((await names()).slice(0, 2), [second, first]);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), `Move ${first} down`, "the button is under the finger again");
  await withoutViolations(page, "components-moved");
  await page.click("text=Undo");
  await page.waitForFunction(name => document.querySelector("[data-order] .what > a")?.textContent.trim() === name, first);
  assert.deepEqual(await names(), before);

  const drag = async (name, onto, drop = true) => {
    const middle = async text => { const { x, y, width, height } = await page.locator(`li:has(bdi:text-is("${text}")) .grip`).boundingBox(); return [x + width / 2, y + height / 2]; };
    const [x, y] = await middle(name);
    const [, to] = await middle(onto);
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x, (y + to) / 2, { steps: 5 });
    await page.mouse.move(x, to + (to > y ? 30 : -30), { steps: 5 });
    if (!drop) await page.keyboard.press("Escape");
    await page.mouse.up();
  };
  await page.goto(`${base}console/components`);
  await drag(first, second, false);
  assert.deepEqual(await names(), before, "Escape puts it back");
  await drag(first, second);
  await page.waitForSelector(`.undo:has-text("${first}")`);
  assert.deepEqual((await names()).slice(0, 2), [second, first]);
  await page.click("text=Undo");
  await page.waitForFunction(name => document.querySelector("[data-order] .what > a")?.textContent.trim() === name, first);
  assert.deepEqual(await names(), before);
  assert.ok(third);

  await page.fill("#name", "Passing");
  await page.click("text=Add the group");
  await page.waitForSelector("h2:has-text('Passing')");
  const card = page.locator(".card:has(h2:has-text('Passing'))");
  await card.locator("summary").click();
  await card.locator("text=Delete the group").click();
  await page.click(".undo:has-text('Passing') >> text=Undo");
  await page.waitForSelector("h2:has-text('Passing')");
});

test("the audit log, a metric and the page are looked at and changed", async () => {
  await page.goto(`${base}console/components`);
  await page.fill("#name", "Records");
  await page.click("text=Add the group");
  await page.waitForSelector("h2:has-text('Records')");
  await page.goto(`${base}console/audit`);
  await withoutViolations(page, "audit");
  await page.click("text=Check the whole log");
  await page.waitForSelector("text=The log is what was written");
  await page.click("table a code:text-is('group.create')");
  await page.waitForURL(/action=group\.create/);
  await page.click("tbody .at a");
  await withoutViolations(page, "audit-entry");
  assert.match(await page.textContent("table"), /Records/);
  const [file] = await Promise.all([page.waitForEvent("download"), page.goto(`${base}console/audit`).then(() => page.click("text=Export as CSV"))]);
  assert.equal(file.suggestedFilename(), "audit.csv");

  await page.goto(`${base}console/metrics`);
  await withoutViolations(page, "metrics");
  await page.click("text=New metric");
  await page.fill("#name", "Waiting time");
  await page.fill("#unit", "ms");
  await withoutViolations(page, "metric-new");
  await page.click("text=Add the metric");
  await page.waitForURL(/console\/metrics\/\d+$/);
  await withoutViolations(page, "metric");

  await page.goto(`${base}console/page`);
  await withoutViolations(page, "page");
  const name = await page.inputValue("#name");
  await page.fill("#name", "Acme & sons");
  await page.frameLocator("#preview iframe").locator("text=Acme & sons").first().waitFor();
  await page.fill("#time_zone", "Mars/Base");
  await page.waitForSelector("#preview >> text=There is no time zone");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#time_zone-error");
  assert.equal(await page.inputValue("#name"), "Acme & sons");
  await page.fill("#name", name);
  await page.fill("#time_zone", "Europe/Paris");
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("text=Saved. Readers see it now.");
  await page.goto(`${base}console/incidents?title=nothing`);
  await withoutViolations(page, "incidents-narrowed");
  assert.deepEqual(violations, []);
});
