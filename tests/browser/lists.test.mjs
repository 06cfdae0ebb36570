// Rows that are chosen, with the keyboard and without scripts; and a maintenance that comes back, changed from one window on.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start } from "./demo.mjs";
import { looker } from "./look.mjs";

const PASSWORD = "violin harbour sandpaper";
let demo, browser, base, page;
const noted = [];

before(async () => {
  demo = await start();
  ({ browser, base } = demo);
  page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  page.on("console", message => { if (/Content Security Policy|Trusted/.test(message.text())) noted.push(message.text()); });
  page.on("pageerror", error => noted.push(String(error)));
  await page.goto(demo.setUp);
  await page.fill("#name", "Grace Hopper");
  await page.fill("#email", "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
}, { timeout: 60_000 });

after(() => demo?.stop());

const look = looker("lists");

const said = () => page.locator("[data-chosen]").textContent();

test("rows are ticked with x, counted, and all of them hidden at once", async () => {
  await page.goto(`${base}console/components?sort=name`);
  const n = await page.locator("input[form=chosen]").count();
  assert.ok(n > 2);
  assert.equal(await said(), "None chosen.");
  assert.equal(await page.getByRole("button", { name: "Hide …" }).count(), 0, "there is nothing to hide yet");
  for (const key of ["j", "x", "j", "x"]) await page.keyboard.press(key);
  assert.equal(await said(), "2 chosen:");
  await page.keyboard.press("x");
  assert.equal(await said(), "1 chosen:");
  await page.getByRole("link", { name: "Choose all on this page" }).click();
  assert.equal(await said(), `${n} chosen:`);
  await page.getByRole("link", { name: "Choose none" }).click();
  await page.locator("input[form=chosen]").first().check();
  // The keys go on from a box that has the focus.
  for (const key of ["j", "x"]) await page.keyboard.press(key);
  assert.equal(await said(), "2 chosen:");
  await look(page, "chosen");
  await page.getByRole("button", { name: "Hide …" }).click();
  await page.getByRole("heading", { name: "Hide 2 components?" }).waitFor();
  await look(page, "chosen-ask");
  await page.getByRole("button", { name: "Hide 2 components" }).click();
  await page.getByText("2 components hidden.").waitFor();
  assert.match(page.url(), /sort=name/, "the list is as it was");
  assert.equal(await page.locator(".tag", { hasText: "hidden" }).count(), 2);
});

test("without scripts rows are ticked and all are chosen by a link", async () => {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 780 } });
  await context.addCookies(await page.context().cookies());
  const tab = await context.newPage();
  await tab.goto(`${base}console/components`);
  await tab.getByRole("link", { name: "Choose all on this page" }).click();
  await tab.locator("input[form=chosen]").first().uncheck();
  const n = await tab.locator("input[form=chosen]:checked").count();
  await tab.getByRole("button", { name: "Override the status …" }).click();
  await tab.getByRole("heading", { name: `Override the status of ${n} components?` }).waitFor();
  await tab.fill("#until", "2020-01-01T00:00");
  await tab.getByRole("button", { name: /^Override the status of/ }).click();
  await tab.locator("#until-error").waitFor();
  await tab.fill("#until", "2099-01-01T00:00");
  await tab.getByRole("button", { name: /^Override the status of/ }).click();
  await tab.getByText(`${n} components overridden.`).waitFor();
  assert.equal(await tab.locator(".tag", { hasText: "overridden" }).count(), n);
});

test("a window of a series is moved with all that follow, after one has seen which", async () => {
  const day = ahead => new Date(Date.now() + ahead * 86_400_000).toISOString().slice(0, 10);
  await page.goto(`${base}console/maintenance-series/new`);
  await page.fill("#title", "Night shift of the database");
  await page.fill("#starts_at", `${day(2)}T02:00`);
  await page.fill("#duration", "1h");
  await page.fill("#rule", "FREQ=DAILY;COUNT=4");
  await page.getByRole("button", { name: "Plan the series" }).click();
  await page.waitForURL(/maintenances$/);
  await page.getByRole("link", { name: "Night shift of the database", exact: true }).nth(1).click();
  await page.getByRole("link", { name: "Change this and all that follow" }).click();
  await page.waitForURL(/maintenance-series\/\d+\?from=/);
  await look(page, "series");
  const begins = await page.inputValue("#starts_at");
  await page.fill("#starts_at", begins.replace("T02", "T03"));
  await page.getByRole("button", { name: "Show what it will do" }).click();
  await page.getByText(`${begins.replace("T", " ")} moves to ${begins.replace("T02", " 03")}`).waitFor();
  await look(page, "series-effect");
  await page.getByRole("button", { name: "Save the change" }).click();
  await page.waitForURL(/maintenances$/);
  await page.getByRole("link", { name: "End the series Night shift of the database" }).click();
  await page.getByText("4 windows that are planned are called off").waitFor();
  await look(page, "series-end");
  await page.getByRole("button", { name: "End the series" }).click();
  await page.waitForURL(/maintenances$/);
  assert.equal(await page.getByRole("link", { name: /^End the series Night shift/ }).count(), 0);
  assert.deepEqual(noted, []);
});
