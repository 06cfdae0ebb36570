// The page in a real browser: sizes, colours, with and without JavaScript, no accessibility violation, and a live update.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { start } from "./demo.mjs";
import { faults } from "./look.mjs";

let demo, browser, base, alert;

before(async () => {
  demo = await start();
  ({ browser, base, alert } = demo);
}, { timeout: 60_000 });

after(() => demo?.stop());

for (const width of [360, 768, 1440]) for (const colorScheme of ["light", "dark"]) for (const javaScriptEnabled of [true, false]) {
  test(`the page reads well at ${width} px, ${colorScheme}, ${javaScriptEnabled ? "with" : "without"} JavaScript`, async () => {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled });
    const foreign = [];
    await context.route("**/*", route => { if (route.request().url().startsWith(base)) return route.continue(); foreign.push(route.request().url()); return route.abort(); });
    const page = await context.newPage();
    await page.goto(base);
    assert.match(await page.textContent("main"), /All systems operational|outage/);
    assert.deepEqual(foreign, [], "no third-party request");
    if (javaScriptEnabled) {
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "nothing sticks out");
      assert.deepEqual(await faults(page), []);
    }
    await context.close();
  });
}

test("an alert shows on an open page within a second, without reload", async () => {
  const page = await browser.newPage();
  const violations = [];
  page.on("console", message => { if (/Content Security Policy/.test(message.text())) violations.push(message.text()); });
  await page.goto(base);
  await page.waitForFunction(() => /Live/.test(document.body.textContent));
  await page.evaluate(() => { window.sameDocument = true; });
  const sent = await fetch(`${base}hooks/demo-alerts`, { method: "POST", headers: { Authorization: "Bearer demo-token-that-guards-nothing", "Content-Type": "application/json" }, body: alert });
  assert.equal(sent.status, 202);
  await page.waitForFunction(() => /Booking: major outage/.test(document.querySelector("main").textContent), null, { timeout: 1000 });
  assert.ok(await page.evaluate(() => window.sameDocument), "it is still the same document");
  assert.deepEqual(violations, []);
});
