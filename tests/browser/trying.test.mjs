// Trying an integration before an outage does, pickers with many choices, menus that close, and lists on a phone.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { install } from "./fresh.mjs";
import { looker } from "./look.mjs";

const PASSWORD = "violin harbour sandpaper";
const ADDRESS = "a-reader-with-a-long-name@subscriptions.of-a-long-domain.example.com";
const CONFIGURATION = `
page: { name: Harbour }
components:
${Array.from({ length: 40 }, (_, n) => `  - { key: part-${n}, name: Part ${n} of the harbour }`).join("\n")}
subscribers:
  - { channel: email, address: ${ADDRESS} }
integrations:
  - key: night-watch
    name: Night watch over everything
    provider: alertmanager
    secrets: [{ value: a-secret-that-nobody-knows-1234 }]
    routes: [{ components: [part-7], publish: auto }]
`;
let fanal, base, page;
const noted = [];

before(async () => {
  fanal = await install({ configuration: CONFIGURATION });
  ({ base } = fanal);
  page = await (await fanal.browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  page.on("console", message => { if (/Content Security Policy|Trusted/.test(message.text())) noted.push(message.text()); });
  page.on("pageerror", error => noted.push(String(error)));
  await page.goto(fanal.setUp);
  await page.fill("#name", "Grace Hopper");
  await page.fill("#email", "grace@example.com");
  await page.fill("#password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${base}console/`);
}, { timeout: 90_000 });

after(() => fanal?.stop());

const looked = looker("trying");
const look = (name, widths) => looked(page, name, widths);

test("a test says what would happen, and readers see nothing of it", async () => {
  await page.goto(`${base}console/integrations`);
  await page.click("text=Night watch");
  await page.click("text=Send a test");
  await look("test");
  await page.click("main >> text=Send the test");
  await page.waitForSelector("text=part-7: ");
  assert.match(await page.textContent(".tried"), /an incident by itself; 1 subscriber would be told/);
  await look("test-sent");
  await page.fill("#body", "{}");
  await page.click("main >> text=Send the test");
  await page.waitForSelector("text=It could not be read");
  await page.goto(`${base}console/integrations/1`);
  await page.waitForSelector("table[data-live] tr:has-text('ignored') .tag:has-text('test')", { timeout: 20_000 });
  await page.click("table[data-live] tr:has-text('test') a");
  await page.waitForSelector("text=changes nothing, and says nothing");
  assert.doesNotMatch(await (await fetch(base)).text(), /outage<|Problem with/);
});

test("a check is asked at once, and what it found is said", async () => {
  await page.goto(`${base}console/integrations/new/tcp`);
  await page.fill("#name", "Itself");
  await page.fill("#settings", `host: 127.0.0.1\nport: ${new URL(base).port}`);
  await page.click("text=Add the integration");
  const asked = page.locator("dt", { hasText: "Asking it" });
  const deadline = Date.now() + 20_000;
  do await page.goto(`${base}console/integrations/2`); while (!(await asked.count()) && Date.now() < deadline);
  await page.getByRole("button", { name: "Ask now" }).click();
  await page.waitForURL(/asked=\d+/);
  assert.match(await page.textContent("p.remark[role=status]"), /It was asked, and/);
  await look("asked");
});

test("a picker with many choices is narrowed by name, keeps what is ticked in sight, and sends all of it", async () => {
  await page.goto(`${base}console/incidents/new`);
  await page.check("[name=on-3]");
  const box = page.getByRole("searchbox", { name: "Narrow the list" });
  await box.fill("part 12");
  assert.deepEqual(await page.locator(".choice:visible bdi").allTextContents(), ["Part 2 of the harbour", "Part 12 of the harbour"]);
  assert.equal(await page.textContent(".narrowing [role=status]"), "2 of 40");
  await box.press("Enter");
  assert.match(page.url(), /incidents\/new$/, "nothing was sent");
  await look("narrowed");
  await page.locator(".choice:visible input").last().check();
  await page.fill("#title", "Two parts fail");
  await page.click("text=Save as draft");
  await page.waitForURL(/console\/incidents\/\d+$/);
  assert.equal(await page.locator(".picker input:checked").count(), 2);
});

test("a picker is a whole list without scripts", async () => {
  const context = await fanal.browser.newContext({ javaScriptEnabled: false, storageState: await page.context().storageState() });
  const plain = await context.newPage();
  await plain.goto(`${base}console/incidents/new`);
  assert.equal(await plain.locator(".choice").count(), 40);
  assert.equal(await plain.locator(".narrowing").count(), 0);
  await context.close();
});

test("how sources add up and what a component depends on is written in a form", async () => {
  await page.goto(`${base}console/components/8/sources`);
  await page.check("input[value=quorum]");
  assert.ok(await page.isVisible("#quorum") && !(await page.isVisible("#weight-night-watch")));
  await page.check("input[value=weighted]");
  await page.fill("#weight-night-watch", "2");
  await page.fill("#on-0", "part-1");
  assert.ok(!(await page.isVisible("#settle-0")), "a time to settle is for silence alone");
  await page.selectOption("#effect-0", "silence");
  await page.fill("#settle-0", "10m");
  await look("sources");
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(/components\/8$/);
  assert.match(await page.textContent("main"), /Depends on Part 1 of the harbour/);
});

test("a menu closes with Escape, and when something else is pressed", async () => {
  await page.goto(`${base}console/integrations/1`);
  const menu = page.locator("details.more");
  for (const close of [() => page.keyboard.press("Escape"), () => page.click("h1")]) {
    await menu.locator("summary").click();
    assert.ok(await menu.evaluate(details => details.open));
    await close();
    assert.ok(!(await menu.evaluate(details => details.open)));
  }
});

test("no list sticks out on a phone", async () => {
  await page.setViewportSize({ width: 360, height: 800 });
  await page.goto(`${base}console/incidents/new`);
  await page.fill("#title", "Ships wait outside the harbour");
  await page.click("main button[data-strong]");
  await page.waitForURL(/incidents\/waiting\/\d+$/);
  await page.click("text=Publish now");
  await page.waitForURL(/console\/incidents\/\d+$/);
  for (const list of ["deliveries", "notifications", "subscribers", "integrations", "incidents", "components", "audit", "integrations/1"]) {
    await page.setViewportSize({ width: 360, height: 800 });
    await page.goto(`${base}console/${list}`);
    assert.ok(await page.locator("main tbody tr, main .lines > li").count() > 0, `${list} has rows`);
    const out = await page.locator(".scroll").evaluateAll(all => all.filter(one => one.scrollWidth > one.clientWidth).length);
    assert.equal(out, 0, `${list} is read without scrolling sideways`);
    await look(`phone-${list.replace("/", "-")}`, [360]);
  }
});

test("nothing was refused by the policy", () => assert.deepEqual(noted, []));
