// The way into the console in a real browser, by keyboard, without an accessibility violation, and with nothing that the policy refuses.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { axe, start } from "./demo.mjs";

const PASSWORD = "violin harbour sandpaper";
let demo, browser, base, setUp;

before(async () => {
  demo = await start();
  ({ browser, base, setUp } = demo);
}, { timeout: 60_000 });

after(() => demo?.stop());

/** What an app shows for a key in base 32. */
function code(key, at = Date.now()) {
  const bits = [...key.replace(/\s/g, "")].map(c => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const seed = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const hash = createHmac("sha1", seed).update(step).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

function watched(page) {
  const violations = [];
  page.on("console", message => { if (/Content Security Policy|Trusted/.test(message.text())) violations.push(message.text()); });
  return violations;
}

async function look(page, name) {
  for (const colorScheme of ["light", "dark"]) for (const width of [360, 1280]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${name} at ${width}: nothing sticks out`);
    const session = await page.context().newCDPSession(page);
    await session.send("Runtime.evaluate", { expression: axe });
    const found = await page.evaluate(() => globalThis.axe.run());
    assert.deepEqual(found.violations.map(v => `${name}, ${width}, ${colorScheme}: ${v.id}: ${v.nodes[0].html}`), []);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/console-${name}-${width}-${colorScheme}.png`, fullPage: true });
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
}

test("from the link of the first start to a second factor, an invitation and logging in again", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const violations = watched(page);
  await page.goto(setUp);
  await look(page, "set-up");
  await page.keyboard.type("Grace Hopper");
  await page.keyboard.press("Tab");
  await page.keyboard.type("grace@example.com");
  await page.keyboard.press("Tab");
  await page.keyboard.type("short");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#password-error");
  await look(page, "set-up-refused");
  assert.equal(await page.inputValue("#email"), "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
  await look(page, "home");
  const cookies = await context.cookies();
  assert.ok(cookies.length === 2 && cookies.every(cookie => cookie.httpOnly && cookie.sameSite === "Lax" && cookie.path === "/"), JSON.stringify(cookies));

  await page.click("nav >> text=Profile");
  await look(page, "profile");
  await page.click("text=Add a second factor");
  await look(page, "factor");
  await page.click("text=Add an app");
  await page.waitForSelector(".qr svg");
  await look(page, "factor-key");
  const key = await page.textContent("code.key");
  const used = code(key);
  await page.fill("#code", used);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".codes");
  await look(page, "recovery-codes");
  const recovery = await page.textContent(".codes li");

  await page.goto(`${base}console/team`);
  await page.fill("#email", "eve@example.com");
  await page.click("text=Make a link");
  await page.waitForSelector("code.key");
  await look(page, "team");
  const invitation = await page.textContent("code.key");
  const other = await (await browser.newContext()).newPage();
  await other.goto(invitation);
  await look(other, "join");
  await other.fill("#name", "Eve");
  await other.fill("#password", PASSWORD);
  await other.keyboard.press("Enter");
  await other.waitForURL(`${base}console/`);
  assert.equal(await other.locator("nav >> text=Team").count(), 0, "a viewer sees no team");
  await other.goto(`${base}console/team`);
  await look(other, "not-allowed");

  await page.click("text=Log out");
  await page.waitForURL(`${base}console/log-in`);
  await look(page, "log-in");
  await page.fill("#email", "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#code");
  await look(page, "code");
  await page.fill("#code", used);
  await page.keyboard.press("Enter");
  await page.waitForSelector(".wrong");
  await page.fill("#code", recovery);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
  await page.goto(`${base}console/forgot`);
  await look(page, "forgot");
  assert.deepEqual(violations, []);
});

test("a form on another origin acts in nobody's name, though the browser sends the cookie along", async () => {
  const evil = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<form method="post" action="${base}console/profile/name"><input name="name" value="Eve"></form><script>document.forms[0].submit()</script>`);
  });
  await new Promise(done => evil.listen(0, "127.0.0.1", done));
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${base}console/log-in`);
  await page.fill("#email", "eve@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
  const [answer] = await Promise.all([
    page.waitForResponse(response => response.url().endsWith("/console/profile/name")),
    page.goto(`http://127.0.0.1:${evil.address().port}/`),
  ]);
  assert.match((await answer.request().allHeaders()).cookie ?? "", /fanal-session/);
  assert.equal(answer.status(), 403);
  evil.close();
});
