// The page in a real browser: sizes, colours, with and without JavaScript, no accessibility violation, and a live update.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
let fanal, browser, base, alert;

const sparePort = () => new Promise(done => { const s = createServer().listen(0, "127.0.0.1", () => { const { port } = s.address(); s.close(() => done(port)); }); });

before(async () => {
  const [port, ops] = [await sparePort(), await sparePort()];
  base = `http://127.0.0.1:${port}/`;
  let said = "";
  fanal = spawn(process.env.FANAL_BIN, ["demo"], { env: { ...process.env, FANAL_LISTEN: `127.0.0.1:${port}`, FANAL_OPS_LISTEN: `127.0.0.1:${ops}` } });
  fanal.stderr.on("data", text => { said += text; });
  for (let n = 0; n < 300 && !/ -d '/.test(said); n++) await new Promise(done => setTimeout(done, 100));
  alert = / -d '(.*)'/.exec(said)?.[1];
  assert.ok(alert, `the demo starts and prints a curl line:\n${said}`);
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });
}, { timeout: 60_000 });

after(async () => { await browser?.close(); fanal?.kill("SIGINT"); });

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
      const session = await context.newCDPSession(page);
      await session.send("Runtime.evaluate", { expression: axe });
      const found = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(found.violations.map(v => `${v.id}: ${v.nodes[0].html}`), []);
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
