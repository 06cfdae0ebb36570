// From the link of the first start to an incident published and resolved, in a real browser, without an accessibility violation on any screen.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start } from "./demo.mjs";
import { looker } from "./look.mjs";

const PASSWORD = "violin harbour sandpaper";
let demo, browser, base, setUp;

before(async () => {
  demo = await start();
  ({ browser, base, setUp } = demo);
}, { timeout: 60_000 });

after(() => demo?.stop());

const look = looker("running");

test("a newcomer publishes an incident and resolves it", async () => {
  const page = await (await browser.newContext()).newPage();
  const violations = [];
  page.on("console", message => { if (/Content Security Policy|Trusted/.test(message.text())) violations.push(message.text()); });
  await page.goto(setUp);
  await page.fill("#name", "Grace Hopper");
  await page.fill("#email", "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
  await look(page, "now");

  await page.goto(`${base}console/components`);
  await look(page, "components");
  await page.click("text=New component");
  await look(page, "component-new");
  await page.fill("#name", "Tills");
  await page.click("text=Add the component");
  await page.waitForURL(/console\/components$/);
  await page.click(".what a:has-text('Tills')");
  await look(page, "component");

  await page.goto(`${base}console/incidents/new`);
  await page.fill("#title", "Tills are slow");
  await page.fill("#body", "We **know**, and are on it.");
  await page.check("label:has-text('Tills') input");
  await page.waitForSelector("#preview strong:text('know')");
  await look(page, "incident-new");
  await page.focus("#body");
  await page.keyboard.press("Control+Enter");
  await page.waitForURL(/console\/incidents\/waiting\/\d+$/);
  await page.click("text=/^Take back \\(\\d+\\)$/");
  await page.waitForSelector("text=Taken back: nothing has left.");
  await look(page, "incident-taken-back");
  assert.equal(await page.inputValue("#title"), "Tills are slow");
  assert.ok(await page.isChecked("label:has-text('Tills') input"));
  await page.click("[data-strong]");
  await page.waitForURL(/console\/incidents\/waiting\/\d+$/);
  // The page would go on to the incident while it is looked at.
  await page.route(/incidents\/waiting/, route => route.abort("aborted"));
  await look(page, "incident-waiting");
  await page.unrouteAll();
  await page.waitForTimeout(10_000);
  await page.reload();
  await page.waitForURL(/console\/incidents\/\d+$/);
  await look(page, "incident");
  const incident = page.url();
  assert.match(await (await page.request.get(`${base}incidents/${incident.split("/").pop()}`)).text(), /Tills are slow/);
  await page.goto(`${base}console/`);
  await look(page, "now-published");
  await page.click("[aria-label='Post an update to Tills are slow']");
  await page.click("text=Publish update");
  await page.waitForSelector("#body-error");
  await look(page, "incident-refused");
  await page.fill("#body", "A new disk is in.");
  await page.click("text=Publish update");
  // It leaves by itself, and the page goes on to where it stands.
  await page.waitForSelector(".timeline >> text=A new disk is in.");
  await page.click("button:text-is('Resolve')");
  await page.click("text=Publish now");
  await page.waitForSelector("main > .sub:has-text('Resolved')");
  await page.goto(`${base}console/incidents`);
  await look(page, "incidents");
  await page.goto(`${base}console/components`);
  await page.click("[aria-label^='Why Tills']");
  await page.waitForSelector(".chain >> text=Grace Hopper");
  await look(page, "why");

  await page.goto(`${base}console/maintenances/new`);
  await look(page, "maintenance-new");
  await page.fill("#title", "New disks");
  await page.check("label:has-text('Tills') input");
  await page.click("button:text-is('Schedule maintenance')");
  await page.waitForURL(/console\/maintenances$/);
  await look(page, "maintenances");
  await page.click(".what a:has-text('New disks')");
  await look(page, "maintenance");
  await page.click("button:text-is('Call it off')");
  await page.waitForSelector("main > .sub:has-text('Cancelled')");
  assert.deepEqual(violations, []);
});
