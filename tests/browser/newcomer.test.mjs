// What a newcomer does on the first day, in one go; and every screen that they can reach, in both colours, on a phone and on a desk.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { crawl, shape } from "./crawl.mjs";
import { faults } from "./look.mjs";
import { install } from "./fresh.mjs";
import { code } from "./totp.mjs";
import { witness } from "./witness.mjs";

const PASSWORD = "violin harbour sandpaper";
let fanal, base, context, page, seen;

before(async () => {
  fanal = await install({ configuration: "page: { name: Lantern }\n" });
  base = fanal.base;
  context = await fanal.browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en" });
  seen = await witness(context);
  page = await context.newPage();
}, { timeout: 90_000 });

after(() => fanal?.stop());

const to = path => page.goto(`${base}console/${path}`);
const press = name => page.getByRole("button", { name, exact: true }).click();

/** A run of a workflow, signed as GitHub signs it. */
async function send(hook, secret, conclusion) {
  const at = new Date().toISOString();
  const repository = { id: 1, full_name: "lantern/checkout", default_branch: "main", html_url: "https://github.com/lantern/checkout" };
  const run = { id: 9001, name: "Smoke test", head_branch: "main", event: "schedule", status: "completed", conclusion, workflow_id: 77, html_url: `${repository.html_url}/actions/runs/9001`, created_at: at, updated_at: at, head_repository: { full_name: repository.full_name } };
  const body = JSON.stringify({ action: "completed", workflow_run: run, workflow: { id: 77, name: run.name }, repository });
  const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  const headers = { "content-type": "application/json", "x-github-event": "workflow_run", "x-github-delivery": randomUUID(), "x-hub-signature-256": signature };
  return (await fetch(hook, { method: "POST", headers, body })).status;
}

test("from the set-up link to a component that turns red, is published and is resolved", { timeout: 180_000 }, async () => {
  // The link of the first start, and a second factor.
  await page.goto(fanal.setUp);
  await page.getByLabel("Your name").fill("Grace Hopper");
  await page.getByLabel("Mail address").fill("grace@example.com");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Password").press("Enter");
  await page.waitForURL(`${base}console/`);
  await to("profile/factor");
  await press("Add an app");
  await page.getByLabel("Code", { exact: true }).fill(code(await page.locator("code", { hasText: /^[A-Z2-7 ]{16,}$/ }).textContent()));
  await press("Add the app");
  await page.getByRole("heading", { name: "Your second factor is on" }).waitFor();

  await to("components/new");
  await page.getByLabel("Name", { exact: true }).fill("Checkout");
  await press("Add the component");
  await page.getByRole("link", { name: "Checkout", exact: true }).waitFor();

  await to("integrations/new");
  await page.getByRole("searchbox").fill("github");
  await page.getByRole("link", { name: /^GitHub webhook/ }).click();
  await page.getByLabel("Name", { exact: true }).fill("Smoke tests");
  await press("Add the integration");
  await page.getByText("shown only this once").waitFor();
  const [hook, secret] = [await page.locator("#hook-url").textContent(), await page.locator("#secret-text").textContent()];
  await to("integrations");
  await page.getByRole("link", { name: "Smoke tests", exact: true }).click();
  assert.ok(!(await page.content()).includes(secret), "the secret is shown once");

  // It arrives while one looks, and becomes a route.
  assert.equal(await send(hook, `${secret}?`, "success"), 401, "nobody else can say that");
  assert.equal(await send(hook, secret, "success"), 202);
  const arrived = page.getByRole("row").filter({ hasText: "processed" });
  await arrived.waitFor({ timeout: 20_000 });
  await arrived.getByRole("link").click();
  await page.getByRole("link", { name: "Make a route from this" }).click();
  await page.getByRole("checkbox", { name: "Checkout" }).check();
  await press("Dry run");
  await page.getByText(/^1 signal/).waitFor();
  await press("Save the route");
  await page.waitForURL(/integrations\/\d+$/);

  // The next one turns it red inside; one click shows that to readers, who see it without loading the page again.
  const readers = await fanal.browser.newContext({ locale: "en" });
  const readersSaw = await witness(readers);
  const open = await readers.newPage();
  await open.goto(base);
  await open.getByRole("heading", { name: "All systems operational" }).waitFor();
  assert.equal(await send(hook, secret, "failure"), 202);
  const publish = page.getByRole("button", { name: /^Publish .*Checkout/ });
  await assert.doesNotReject(async () => {
    for (let n = 0; n < 50; n++) {
      await to("");
      if (await publish.count()) return;
      await page.waitForTimeout(200);
    }
    throw new Error("Now says that something needs a decision");
  });
  assert.match(await open.locator("h1").textContent(), /All systems operational/, "readers see no draft");
  await publish.click();
  assert.match(await open.locator("h1").textContent(), /All systems operational/, "it can still be taken back");
  await open.getByRole("heading", { name: /Checkout: partial outage/ }).waitFor({ timeout: 20_000 });
  await open.getByRole("heading", { name: "Open incident" }).waitFor();

  await to("incidents");
  await page.getByRole("link", { name: /Checkout/ }).first().click();
  await page.getByLabel("What is new").fill("A **new** certificate is on its way.");
  await page.getByText("A new certificate is on its way.").waitFor();
  await press("Publish update");
  await press("Publish now");
  await open.getByText("A new certificate is on its way.").first().waitFor({ timeout: 10_000 });
  await press("Resolve");
  await press("Publish now");
  await open.getByRole("heading", { name: "All systems operational" }).waitFor({ timeout: 10_000 });
  await page.getByText(/^Resolved/).first().waitFor();
  await readers.close();
  assert.deepEqual([seen, readersSaw], [[], []]);
});

/** One of everything that has a list and that the newcomer has not made. */
async function furnish() {
  await to("tokens/new");
  await page.getByLabel("What for").fill("Terraform");
  await page.getByRole("checkbox", { name: "everything" }).check();
  await press("Make the token");
  const token = await page.locator("code", { hasText: /^fanal_/ }).textContent();
  const post = async (path, body) => {
    const answer = await fetch(`${base}api/admin/v1/${path}`, { method: "POST", headers: { authorization: `Bearer ${token}`, "content-type": "application/json" }, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return answer.json();
  };
  const [hour, now] = [3_600_000, Date.now()];
  await post("groups", { key: "shop", name: "Shop" });
  await post("components", { key: "search", name: "Search", group: "shop", description: "Finding things" });
  await post("metrics", { name: "Answer time", unit: "ms" });
  await post("maintenances", { title: "New disks", body: "Searching may be slow.", starts_at: new Date(now + hour).toISOString(), ends_at: new Date(now + 2 * hour).toISOString(), components: ["search"] });
  await post("maintenance-series", { title: "Weekly upkeep", starts_at: new Date(now + 48 * hour).toISOString().slice(0, 16), duration: "1h", rule: "FREQ=WEEKLY;COUNT=3", components: ["search"] });
  await post("subscribers", { channel: "webhook", address: "https://hooks.example.com/x" });
  await post("incidents", { title: "Search is slow", body: "We look into it.", components: [{ component: "search", status: "degraded_performance" }] });
  await post("invitations", { email: "eve@example.com", role: "viewer" });
}

/** What is wrong with the screen that is open; a fault that is everywhere is told of where it was met first. */
async function lookOver(path, found) {
  const tell = (fault, where) => found.has(fault) || found.set(fault, `${where}: ${fault}`);
  for (const colorScheme of ["light", "dark"]) for (const width of [390, 1440]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    const where = `${path}, ${width}, ${colorScheme}`;
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) tell("something sticks out", where);
    for (const fault of await faults(page)) tell(fault, where);
  }
}

/** Screens that must be among those that were reached; what is new is reached by itself. */
const KNOWN = [
  "/console/", "/console/incidents", "/console/incidents/new", "/console/incidents/:id", "/console/maintenances", "/console/maintenances/new",
  "/console/maintenances/:id", "/console/components", "/console/components/new", "/console/components/:id", "/console/components/:id/why",
  "/console/maintenance-series/new", "/console/maintenance-series/:id", "/console/maintenance-series/:id/end",
  "/console/components/chosen/override", "/console/components/chosen/move", "/console/subscribers/chosen/delete", "/console/deliveries/chosen/replay",
  "/console/integrations", "/console/integrations/new", "/console/integrations/new/github", "/console/integrations/:id", "/console/integrations/:id/settings",
  "/console/integrations/:id/secrets", "/console/integrations/:id/delete", "/console/integrations/:id/back-test", "/console/integrations/:id/routes/:id",
  "/console/deliveries", "/console/deliveries/:id", "/console/subscribers", "/console/subscribers/new", "/console/subscribers/:id/delete",
  "/console/notifications", "/console/notifications/:id", "/console/incident-templates", "/console/incident-templates/new", "/console/metrics", "/console/metrics/new",
  "/console/page", "/console/sessions", "/console/tokens", "/console/tokens/new", "/console/tokens/:id", "/console/audit", "/console/audit/:id", "/console/system", "/console/team",
  "/console/profile", "/console/profile/factor", "/console/profile/email",
];

test("every screen that links lead to stands for everybody, in both colours, on a phone and on a desk", { timeout: 900_000 }, async () => {
  await furnish();
  const [looked, wrong] = [new Set(), new Map()];
  const met = await crawl(page, base, {
    paths: ["/console/"], prefix: "/console/", nAlike: 3,
    look: async path => {
      assert.ok(!page.url().includes("/console/log-in"), `${path}: still signed in`);
      // One guide stands for all of them; each is opened all the same.
      const kind = shape(path).replace(/new\/[a-z_]+$/, "new/:provider");
      if (!looked.has(kind)) await lookOver(path, wrong);
      looked.add(kind);
    },
  });
  const shapes = met.map(path => shape(path).split("?")[0]);
  assert.deepEqual(KNOWN.filter(known => !shapes.includes(known)), []);
  assert.deepEqual([...wrong.values()], []);
  assert.deepEqual(seen, []);
});
