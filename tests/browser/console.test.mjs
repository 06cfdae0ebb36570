// The way into the console in a real browser, by keyboard, without an accessibility violation, and with nothing that the policy refuses.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { start } from "./demo.mjs";
import { looker } from "./look.mjs";

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

const look = looker("console");

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

test("a passkey takes the place of password and code", async () => {
  const named = await start({}, "localhost");
  const context = await named.browser.newContext();
  const page = await context.newPage();
  const violations = watched(page);
  const session = await context.newCDPSession(page);
  await session.send("WebAuthn.enable");
  const { authenticatorId } = await session.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
  });
  await page.goto(named.setUp);
  await page.fill("#name", "Ada");
  await page.fill("#email", "ada@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${named.base}console/`);
  await page.goto(`${named.base}console/profile/factor`);
  await page.fill("#name", "My laptop");
  await page.click("text=Add a passkey");
  await page.waitForSelector(".codes");
  await page.goto(`${named.base}console/profile/factor`);
  await look(page, "passkeys");
  assert.match(await page.textContent("table"), /My laptop.*never/s);
  await page.click("text=Log out");
  await look(page, "log-in-passkey");
  const log_in = async () => {
    await page.click("text=Log in with a passkey");
    await page.waitForURL(`${named.base}console/`);
  };
  await log_in();
  await page.goto(`${named.base}console/confirm`);
  await page.click("text=Use a passkey");
  await page.waitForURL(`${named.base}console/`);
  await page.click("text=Log out");
  // After the password, in place of a code.
  await page.fill("#email", "ada@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(/log-in\/code/);
  await page.click("text=Use a passkey");
  await page.waitForURL(`${named.base}console/`);

  // The same answer twice, an answer for another site, and one of a device that has not made sure who holds it.
  await page.click("text=Log out");
  let body;
  await page.route("**/console/log-in/passkey", route => { body = route.request().postData(); return route.continue(); });
  await log_in();
  const again = await fetch(`${named.base}console/log-in/passkey`, {
    method: "POST", redirect: "manual", body, headers: { "content-type": "application/x-www-form-urlencoded", origin: named.base.slice(0, -1) },
  });
  assert.ok([403, 409].includes(again.status), `${again.status}: its count, or else our own memory, tells that it was used`);
  await page.click("text=Log out");
  await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  await page.click("text=Log in with a passkey");
  await page.waitForFunction(() => document.querySelector("form[data-passkey] [role=status]").textContent !== "");
  await session.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });

  // Removed, it opens nothing; the password, which stands alone, does.
  await log_in();
  await page.goto(`${named.base}console/profile/factor`);
  await page.click("table >> text=Remove");
  await page.waitForURL(/profile\/factor/);
  assert.equal(await page.locator("table").count(), 0);
  await page.click("text=Log out");
  await page.click("text=Log in with a passkey");
  await page.waitForSelector("text=not known here");
  assert.deepEqual(violations, []);
  await named.stop();
});

test("an integration from the catalogue to a route, and everything that follows from what it sends", async () => {
  const own = await start();
  const context = await own.browser.newContext();
  const page = await context.newPage();
  const violations = watched(page);
  await page.goto(own.setUp);
  await page.fill("#name", "Grace Hopper");
  await page.fill("#email", "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${own.base}console/`);
  const to = path => page.goto(`${own.base}console/${path}`);

  await to("integrations");
  await look(page, "integrations");
  await page.click("text=Add an integration");
  await look(page, "catalogue");
  await page.fill("#q", "alertmanager");
  assert.equal(await page.locator("#catalogue li:visible").count(), 1, "the search needs no button");
  await page.click("#catalogue >> text=Prometheus Alertmanager");
  await page.fill("#settings", "nonsense: [");
  await page.click("text=Add the integration");
  await page.waitForSelector("#settings[aria-invalid]");
  assert.equal(await page.inputValue("#settings"), "nonsense: [", "what was typed is kept");
  await look(page, "integration-refused");
  await page.fill("#settings", "");
  await page.fill("#name", "Night watch");
  await page.click("text=Add the integration");
  const secret = await page.textContent("#secret-text");
  const hook = await page.textContent("#hook-url");
  assert.match(await page.textContent(".guide"), new RegExp(secret), "the guide has it where it belongs");
  await look(page, "integration-new");
  await page.click("nav >> text=Integrations");
  await page.click("text=Night watch");
  assert.ok(!(await page.content()).includes(secret), "it is shown once");

  const send = body => fetch(hook, { method: "POST", headers: { "content-type": "application/json", authorization: `Bearer ${secret}` }, body });
  assert.equal((await send(own.alert)).status, 202);
  await page.waitForSelector("table[data-live] tbody tr:has-text('processed')", { timeout: 20_000 });
  await send("{}");
  await page.waitForSelector("table[data-live] tbody tr:has-text('quarantined')", { timeout: 20_000 });
  await page.reload();
  await look(page, "integration");

  await page.click("table[data-live] tr:has-text('processed') a");
  await look(page, "delivery");
  await page.click("text=Make a route from this");
  await look(page, "route");
  if (!(await page.locator("input[name=components]:checked").count())) await page.locator("input[name=components]").first().check();
  await page.click("text=Dry run");
  await page.waitForSelector(".tried li");
  await look(page, "route-tried");
  await page.click("button:has-text('Back-test')");
  await page.waitForSelector(".drawing svg");
  await look(page, "route-back-test");
  await page.fill("#when", "signal.nothing ==");
  await page.click("text=Save the route");
  await page.waitForSelector("#when[aria-invalid]");
  await page.fill("#when", "signal.severity == 'critical'");
  await page.click("text=Save the route");
  await page.waitForSelector(".routes li");

  // What is seldom needed is kept as well when a route is saved again.
  const seldom = { publish_after: "30m", hours_from: "08:00", hours_to: "18:00", flapping_changes: "7", flapping_within: "1h", flapping_calm: "20m" };
  await page.click(".routes li a");
  await page.click("text=Whether and when it publishes");
  await page.check("input[name=publish][value=auto]");
  for (const [name, value] of Object.entries(seldom)) await page.fill(`#${name}`, value);
  await page.selectOption("#minimum_severity", "error");
  await page.selectOption("#hours", "outside");
  await page.check("input[name=hours_days][value=fri]");
  await page.check("input[name=flapping]");
  for (let time = 0; time < 2; time += 1) {
    await page.click("text=Save the route");
    await page.waitForSelector(".routes li");
    await page.click(".routes li a");
    for (const [name, value] of Object.entries(seldom)) assert.equal(await page.inputValue(`#${name}`), value, `${name}, saved ${time + 1} times`);
    assert.equal(await page.inputValue("#minimum_severity"), "error");
    assert.equal(await page.inputValue("#hours"), "outside");
    assert.deepEqual(await page.locator("input[name=hours_days]:checked").evaluateAll(days => days.map(day => day.value)), ["fri"]);
    assert.ok(await page.isChecked("input[name=flapping]"));
  }
  await look(page, "route-whole");
  await page.fill("#hours_from", "25:00");
  await page.click("text=Save the route");
  await page.waitForSelector("#hours_from[aria-invalid]");
  await page.click("text=Cancel");

  await page.click("text=Look at them again");
  await look(page, "replay");
  await page.click("text=Take up 1");
  await page.waitForURL(/console\/deliveries/);
  await look(page, "deliveries");

  await to("subscribers/new");
  await page.check("input[value=webhook]");
  await page.fill("#address", "not a url");
  await page.click("form >> text=Add the subscriber");
  await page.waitForSelector("#address[aria-invalid]");
  await look(page, "subscriber-refused");
  await page.fill("#address", "https://hooks.example.com/x");
  await page.click("form >> text=Add the subscriber");
  assert.match(await page.textContent("#secret-text"), /^whsec_/);
  await to("subscribers");
  await look(page, "subscribers");
  await page.click("text=Delete …");
  await look(page, "subscriber-delete");
  await page.click("text=Keep it");
  await to("notifications");
  await look(page, "notifications");
  await page.click("text=Send dead ones again");
  await look(page, "resend");

  await to("tokens");
  await look(page, "tokens-none");
  await page.click("text=Make a token");
  await page.fill("#name", "Terraform");
  await page.click("form >> text=Make the token");
  await page.waitForSelector("text=at least one scope");
  await look(page, "token-refused");
  await page.check("input[value='components:read']");
  await page.click("form >> text=Make the token");
  const token = await page.textContent("#token-text");
  const ask = () => fetch(`${own.base}api/admin/v1/components`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await ask()).status, 200);
  await look(page, "token");
  await to("tokens");
  await look(page, "tokens");
  await page.click("text=Revoke");
  await page.waitForSelector("tr.off");
  assert.equal((await ask()).status, 401);
  await to("system");
  await look(page, "system");

  await to("integrations");
  await page.click("text=Night watch");
  await page.click("summary:has-text('More')");
  await page.click("text=Delete …");
  await look(page, "integration-delete");
  await page.click("text=Delete it with all this");
  await page.waitForURL(`${own.base}console/integrations`);
  assert.equal((await send(own.alert)).status, 404);
  assert.deepEqual(violations, []);
  await own.stop();
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
