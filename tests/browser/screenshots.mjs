// The pictures in docs/screenshots, taken of the demo: `FANAL_BIN=target/release/fanal node screenshots.mjs`.
import { statSync } from "node:fs";
import { start } from "./demo.mjs";

const FOLDER = new URL("../../docs/screenshots/", import.meta.url).pathname;
/** A picture is looked at on the way to something else: larger ones are not worth their bytes. */
const MAX_BYTES = 150_000;
const PASSWORD = "violin harbour sandpaper";
const TOKEN = "demo-token-that-guards-nothing";
const DESK = { width: 1200, height: 760 };
const PHONE = { width: 390, height: 844 };

const demo = await start();
const { base, browser } = demo;
const context = await browser.newContext({ viewport: DESK, locale: "en", timezoneId: "Europe/Oslo" });
const page = await context.newPage();
const to = path => page.goto(base + path, { waitUntil: "networkidle" }).catch(() => page.goto(base + path));

/** Takes a picture; `until` is the last thing that should be on it. */
async function picture(name, { size = DESK, colorScheme = "light", until } = {}) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.setViewportSize(size);
  if (until) {
    const box = await page.locator(until).first().boundingBox();
    await page.setViewportSize({ ...size, height: Math.min(Math.ceil(box.y + box.height + 24), 1400) });
  }
  await page.mouse.move(0, 0);
  const path = `${FOLDER}${name}.png`;
  await page.screenshot({ path });
  const { size: bytes } = statSync(path);
  console.log(`${name}: ${bytes} bytes`);
  if (bytes > MAX_BYTES) throw new Error(`${name} is larger than ${MAX_BYTES} bytes`);
  await page.setViewportSize(DESK);
  await page.emulateMedia({ colorScheme: "light" });
}

/** What the demo's Alertmanager posts. */
async function post(body) {
  const answer = await fetch(`${base}hooks/demo-alerts`, { method: "POST", body: JSON.stringify(body), headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" } });
  if (answer.status !== 202) throw new Error(`an alert is answered ${answer.status}`);
  await new Promise(done => setTimeout(done, 700));
}

/** An alert, as in the curl line that the demo prints. */
function alert(service, status, summary, severity = "critical") {
  const [at, body] = [new Date().toISOString(), JSON.parse(demo.alert)];
  const name = `${service[0].toUpperCase()}${service.slice(1)}Errors`;
  const labels = { alertname: name, service, severity };
  Object.assign(body, { status, groupKey: `{}:{service="${service}"}`, groupLabels: { service }, commonLabels: labels, commonAnnotations: { summary } });
  Object.assign(body.alerts[0], { status, labels, annotations: { summary }, startsAt: at, fingerprint: Buffer.from(service).toString("hex").padEnd(16, "0").slice(0, 16) });
  if (status === "resolved") body.alerts[0].endsAt = at;
  return post(body);
}

try {
  await to("");
  await picture("page-well", { until: "#components" });
  await page.goto(demo.setUp);
  await page.getByLabel("Your name").fill("Ingrid");
  await page.getByLabel("Mail address").fill("ingrid@example.com");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Password").press("Enter");
  await page.waitForURL(`${base}console/`);

  // A route that leaves publishing to people, made from what has arrived; something to decide, and something that cannot be read.
  await alert("ticketing", "firing", "Scanners on board have no answer for 30 s", "warning");
  await to("console/integrations");
  await page.getByRole("link", { name: "demo-alerts" }).first().click();
  await page.getByRole("row").filter({ hasText: "Ticketing" }).first().getByRole("link").click();
  await page.getByRole("link", { name: "Make a route from this" }).click();
  await page.getByRole("checkbox", { name: "Ticket scanning" }).check();
  await page.getByRole("button", { name: "Save the route" }).click();
  await page.waitForURL(/integrations\/\d+$/);
  await post({ version: "4", status: "sideways" });
  await alert("booking", "firing", "Half of all bookings fail");
  await alert("ticketing", "firing", "Scanners on board have no answer for 30 s", "warning");
  await alert("api", "firing", "Partners wait 8 s for an answer", "error");
  await alert("api", "resolved", "Partners wait 120 ms for an answer", "error");

  await to("");
  await picture("page", { until: "#components" });
  await picture("page-dark-phone", { size: PHONE, colorScheme: "dark" });
  await to("console/");
  await picture("now");
  await picture("now-dark", { colorScheme: "dark" });

  await to("console/incidents/new");
  await page.getByLabel("What is wrong").fill("Ticket scanners lose their connection");
  await page.getByLabel("What readers should know").fill("Scanners on the **ferries to Bodø** do not answer. Please show your ticket on paper, or on your phone: the crew lets you on board.");
  await page.getByRole("checkbox", { name: "Ticket scanning" }).check();
  await page.waitForTimeout(1_000);
  await picture("incident-form");

  await to("console/integrations");
  await page.getByRole("link", { name: "demo-alerts" }).first().click();
  await picture("integration");
  await page.getByRole("link", { name: "Back-test" }).click();
  await page.getByRole("button", { name: "Run the back-test" }).click();
  await page.waitForLoadState();
  await picture("back-test");

  await to("console/components");
  await page.getByRole("link", { name: /^Why Booking/ }).click();
  await picture("why");
} finally {
  await demo.stop();
}
