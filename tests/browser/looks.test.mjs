// The page's logo and colours: chosen with a look at the page, and shown to readers; and times in one's own zone.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { faults } from "./look.mjs";
import { install } from "./fresh.mjs";
import { witness } from "./witness.mjs";

const LOGO = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><style>rect{fill:#7a1f5c}</style><rect width="120" height="40" rx="6"/></svg>';
const FILE = { name: "logo.svg", mimeType: "image/svg+xml", buffer: Buffer.from(LOGO) };

let fanal, base, context, page, seen;

before(async () => {
  fanal = await install({ configuration: "page: { name: Lantern, time_zone: Europe/Paris }\ncomponents: [{ key: api, name: API }]\n" });
  base = fanal.base;
  context = await fanal.browser.newContext({ viewport: { width: 1440, height: 1000 }, locale: "en" });
  seen = await witness(context);
  page = await context.newPage();
  await page.goto(fanal.setUp);
  await page.getByLabel("Your name").fill("Grace Hopper");
  await page.getByLabel("Mail address").fill("grace@example.com");
  await page.getByLabel("Password").fill("violin harbour sandpaper");
  await page.getByLabel("Password").press("Enter");
  await page.waitForURL(`${base}console/`);
}, { timeout: 90_000 });

after(() => fanal?.stop());

const colourOf = locator => locator.evaluate(element => getComputedStyle(element).color);

test("the page is seen as readers will see it while one chooses, and they do", { timeout: 120_000 }, async () => {
  await page.goto(`${base}console/page`);
  const draft = page.frameLocator("iframe.draft");
  await draft.getByRole("heading", { name: "All systems operational" }).waitFor();
  await page.getByLabel("Logo", { exact: true }).setInputFiles(FILE);
  await page.getByLabel("Colour on a light page", { exact: true }).fill("#7a1f5c");
  await page.getByLabel("Links at the foot").fill("Privacy https://example.com/privacy");
  await draft.getByRole("img", { name: "Lantern" }).waitFor();
  await draft.getByRole("link", { name: "Privacy" }).waitFor();
  assert.ok(await draft.getByRole("img", { name: "Lantern" }).evaluate(image => image.complete && image.naturalWidth > 0), "the logo is drawn");
  assert.equal(await colourOf(draft.getByRole("link", { name: "Privacy" })), "rgb(122, 31, 92)");
  assert.equal(await page.locator("iframe.draft").evaluate(frame => frame.contentDocument.scripts.length), 0);

  // A colour that nobody could read is told while one types, with one that would do.
  await page.getByLabel("Colour on a light page", { exact: true }).fill("#ffcc00");
  await page.getByText("Accent has a contrast of 1.4 to the light page").waitFor();
  await page.getByLabel("Colour on a light page", { exact: true }).fill("#7a1f5c");
  await page.getByText("Accent has a contrast").waitFor({ state: "detached" });
  assert.deepEqual(await faults(page), []);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForURL(/saved=1/);

  const reader = await fanal.browser.newContext({ colorScheme: "dark", locale: "en" });
  const unexpected = await witness(reader);
  const read = await reader.newPage();
  await read.goto(base);
  const logo = read.getByRole("img", { name: "Lantern" });
  assert.deepEqual(await logo.evaluate(({ width, height, naturalWidth }) => [width, height, naturalWidth > 0]), [96, 32, true]);
  const privacy = await colourOf(read.getByRole("link", { name: "Privacy" }));
  assert.notEqual(privacy, "rgb(122, 31, 92)", "a shade that can be read on a dark page");
  const image = await read.goto(new URL(await logo.getAttribute("src"), base).href);
  assert.match(image.headers()["content-security-policy"], /^default-src 'none'.*sandbox$/);
  await reader.close();
  assert.deepEqual(unexpected, []);
  assert.deepEqual(seen, []);
});

test("without scripts a file that was chosen stays chosen through a preview", { timeout: 60_000 }, async () => {
  const plain = await fanal.browser.newContext({ javaScriptEnabled: false, storageState: await context.storageState() });
  const form = await plain.newPage();
  await form.goto(`${base}console/page`);
  await form.getByLabel("Icon", { exact: true }).setInputFiles(FILE);
  await form.getByRole("button", { name: "Preview" }).click();
  await form.getByRole("img", { name: "Icon as it is" }).waitFor();
  await form.getByRole("button", { name: "Save", exact: true }).click();
  await form.waitForURL(/saved=1/);
  assert.match(await form.locator("input[name=icon]").getAttribute("value"), /^\/assets\/image\./);
  await plain.close();
});

test("times are shown in the zone of whoever looks", { timeout: 60_000 }, async () => {
  await page.goto(`${base}console/profile`);
  assert.match(await page.locator("time").first().textContent(), / CES?T$/);
  await page.getByLabel("Your time zone").fill("America/New_York");
  await page.getByRole("button", { name: "Change the time zone" }).click();
  await page.waitForURL(/#times$/);
  assert.match(await page.locator("time").first().textContent(), / E[SD]T$/);
  await page.goto(`${base}console/maintenances/new`);
  await page.getByLabel("From, in America/New_York").waitFor();
  assert.deepEqual(seen, []);
});
