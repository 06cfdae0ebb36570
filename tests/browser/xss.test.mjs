// Whatever people and senders write stays text: on the page, in the console, in feeds, badges and frames, and in mail.
//
// FANAL_XSS_PAYLOADS names a JSON file with a list of other texts to try instead of ours.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { crawl } from "./crawl.mjs";
import { install } from "./fresh.mjs";
import { judge, textsOfFeed, trap } from "./judge.mjs";
import { mailbox } from "./mailbox.mjs";
import { PAYLOADS } from "./payloads.mjs";
import { Planter } from "./plant.mjs";
import { witness } from "./witness.mjs";

const OTHERS = process.env.FANAL_XSS_PAYLOADS;
const TEXTS = OTHERS ? JSON.parse(readFileSync(OTHERS, "utf8")) : PAYLOADS;
/** Where each text costs several pages, a long list is tried in part. */
const SOME = OTHERS ? TEXTS.filter((_, n) => n % 8 === 0) : TEXTS;
/** Texts that are there at once. */
const BATCH = OTHERS ? 200 : 54;
/** Of screens that differ by a number alone, so many are opened for each batch. */
const N_ALIKE = 4;
const HOURS_MS = 6 * 3_600_000;
const PASSWORD = "violin harbour sandpaper";
const SENDER = "token-of-the-sender-0123456789";
const CONFIGURATION = `
page: { name: Lantern }
components: [{ key: base, name: Base }]
integrations: [{ key: alerts, provider: alertmanager, secrets: [{ value: ${SENDER} }], routes: [{ components: [base], publish: auto }] }]
subscribers: [{ channel: email, address: reader@example.com }]
`;
let fanal, base, mails, context, page, seen, bare, planter, friend;

before(async () => {
  mails = await mailbox();
  const settings = { FANAL_SMTP_URL: mails.url, FANAL_MAIL_FROM: "Lantern <status@lantern.example>", FANAL_TOKEN_REQUESTS_PER_SECOND: "10000" };
  fanal = await install({ configuration: CONFIGURATION, settings });
  base = fanal.base;
  context = await fanal.browser.newContext();
  seen = await witness(context);
  await trap(context);
  page = await context.newPage();
  await page.goto(fanal.setUp);
  await page.getByLabel("Your name").fill("Grace Hopper");
  await page.getByLabel("Mail address").fill("grace@example.com");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByLabel("Password").press("Enter");
  await page.waitForURL(`${base}console/`);
  // What is shown in other programs has no policy of ours around it.
  const elsewhere = await fanal.browser.newContext();
  await elsewhere.route("**/*", route => route.abort());
  bare = await elsewhere.newPage();
  await bare.exposeBinding("tellWitness", (_, what) => { seen.push(`elsewhere: ${what}`); });
  await trap(elsewhere);
  planter = new Planter(base, fanal.command("token", "create", "--name", "planter", "--scope", "*").trim(), { hook: `${base}hooks/alerts`, hookToken: SENDER });
  fanal.command("user", "create", "--email", "eve@example.com", "--role", "viewer");
  friend = (await planter.call("GET", "users?email=eve@example.com")).made.items[0].id;
}, { timeout: 90_000 });

after(async () => { await fanal?.stop(); mails?.stop(); });

const batches = () => Array.from({ length: Math.ceil(TEXTS.length / BATCH) }, (_, n) => TEXTS.slice(n * BATCH, (n + 1) * BATCH));

/** Nothing is in the page that is open, or in `html`, that a text has become. */
async function clean(where, html, type) {
  assert.deepEqual(await (html === undefined ? page : bare).evaluate(judge, { html, type }), [], where);
}

const fetched = async path => (await fetch(new URL(path, base))).text();

async function feeds() {
  for (const path of ["history.atom", "history.rss"]) {
    const feed = await fetched(path);
    await clean(path, feed, "application/xml");
    for (const text of await bare.evaluate(textsOfFeed, feed)) await clean(path, text);
  }
}

test("what is stored is shown as text everywhere", { timeout: HOURS_MS }, async () => {
  const open = { paths: ["/", "/embed", "/history", "/subscribe", "/nothing-here"], prefix: "/" };
  const console = { paths: ["/console/"], prefix: "/console/" };
  for (const [n, texts] of batches().entries()) {
    const made = [];
    for (const [i, text] of texts.entries()) made.push(...await planter.one(text, n * BATCH + i));
    for (let i = 0; i < texts.length; i += 20) await planter.say(texts.slice(i, i + 20));
    await page.waitForTimeout(1_500);
    const look = async path => { await page.waitForLoadState(); await clean(path); };
    await crawl(page, base, { ...open, nAlike: N_ALIKE, look, leave: /^\/(console|api|assets)|\.(ics|atom|rss|svg)$/ });
    await crawl(page, base, { ...console, nAlike: N_ALIKE, look, leave: /integrations\/new\/|log-in/ });
    await feeds();
    for (const path of made.filter(path => path.startsWith("components/"))) await clean(path, await fetched(`${path}/badge.svg`), "image/svg+xml");
    await planter.remove(made);
  }
  assert.deepEqual(seen.filter(line => !line.includes("nothing-here") && !/status of 404/.test(line)), []);
});

test("names that stand on every screen are text on each", { timeout: HOURS_MS }, async () => {
  for (const text of SOME) {
    const name = [...text].slice(0, 100).join("");
    await planter.change("page", { name, description: text });
    await planter.change(`users/${friend}`, { name });
    await planter.change("page", { support_url: text });
    for (const path of ["", "console/team"]) {
      await page.goto(base + path);
      await clean(`${path} called ${text}`);
    }
    await feeds();
    for (const path of ["embed", "badge.svg"]) await clean(path, await fetched(path), path === "embed" ? "text/html" : "image/svg+xml");
  }
  await planter.change("page", { name: "Lantern", description: "", support_url: "" });
});

test("mail shows texts as text", { timeout: HOURS_MS }, async () => {
  const htmls = mails.htmls();
  assert.ok(htmls.length >= Math.min(TEXTS.length, 50), `${mails.n()} mails came, ${htmls.length} of them with HTML`);
  for (const html of htmls) {
    await clean("a mail", html);
    await bare.setContent(html);
  }
  assert.deepEqual(seen.filter(line => line.startsWith("elsewhere")), []);
});

test("what stands in an address is shown as text", { timeout: HOURS_MS }, async () => {
  for (const text of SOME) {
    const q = encodeURIComponent(text.slice(0, 500));
    const asked = [`console/integrations/new?q=${q}`, `console/deliveries?integration=${q}&state=${q}`, `console/components/1/why?at=${q}`, `console/${q}`, q, `history?page=${q}`, `embed?theme=${q}`];
    for (const path of asked) {
      const answer = await context.request.get(base + path);
      assert.ok(answer.status() < 500, `${path}: ${answer.status()}`);
      assert.equal(answer.headers()["x-content-type-options"], "nosniff", path);
      if (/html/.test(answer.headers()["content-type"])) await clean(path, await answer.text());
    }
  }
});

test("a form that is refused shows again what was typed, as text", { timeout: HOURS_MS }, async () => {
  const forms = [];
  await crawl(page, base, {
    paths: ["/console/"], prefix: "/console/", nAlike: 1, leave: /integrations\/new\/(?!github)|log-in/,
    look: async path => {
      const n = await page.evaluate(() => [...document.forms].flatMap((form, n) => (form.getAttribute("method") === "post" && form.querySelector("input:not([type]), input[type=text], input[type=email], input[type=url], textarea") ? [n] : [])));
      forms.push(...n.map(n => [path, n]));
    },
  });
  assert.ok(forms.length >= 15, `${forms.length} forms`);
  for (const text of TEXTS.filter((_, n) => n % Math.ceil(TEXTS.length / 8) === 0)) for (const [path, n] of forms) {
    await page.goto(new URL(path, base).href);
    const sent = await page.evaluate(([n, text]) => {
      const form = document.forms[n];
      if (!form) return false;
      for (const field of form.querySelectorAll("input, textarea")) {
        if (field.type === "hidden" || ["checkbox", "radio", "password"].includes(field.type)) continue;
        field.type &&= field.localName === "input" ? "text" : field.type;
        field.value = text;
        field.dispatchEvent(new Event("input", { bubbles: true }));
      }
      form.noValidate = true;
      return true;
    }, [n, text]);
    if (!sent) continue;
    const before = seen.length;
    await Promise.all([page.waitForEvent("load"), page.evaluate(n => HTMLFormElement.prototype.requestSubmit.call(document.forms[n]), n)]);
    // That it is refused is what we want; that it fails is not. No text is a time or a number, as the browser remarks.
    const told = seen.splice(before).filter(line => !/^4\d\d for|status of 4\d\d|does not conform to the required format|cannot be parsed, or is out of range/.test(line));
    assert.deepEqual(told, [], `${path}, form ${n}, ${text}`);
    await clean(`${path}, form ${n}, ${text}`);
  }
});

test("the preview of an incident shows text", { timeout: HOURS_MS }, async () => {
  await page.goto(`${base}console/incidents/new`);
  const before = seen.length;
  for (let n = 0; n < TEXTS.length; n += 8) {
    const some = TEXTS.slice(n, n + 8);
    const previewed = page.waitForResponse(response => response.url().endsWith("/preview"));
    await page.locator("#title").fill(some[0].replace(/\s/g, " ").slice(0, 200));
    await page.locator("#body").fill(some.join("\n\n"));
    await (await previewed).finished();
    await clean(`the preview of ${some}`);
  }
  assert.deepEqual(seen.slice(before), []);
});

test("every field has taken some of them", () => {
  for (const [field, [taken, refused]] of planter.counts) console.log(`${field}: ${taken} taken, ${refused} refused`);
  const empty = [...planter.counts].filter(([, [taken]]) => taken === 0).map(([field]) => field);
  // A mail address has no room for such texts, and a help page must be an address.
  assert.deepEqual(empty.filter(field => !/^invitations|support_url/.test(field)), []);
});
