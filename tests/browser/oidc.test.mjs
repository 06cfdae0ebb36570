// From the button on the log-in page, through a real identity provider, into the console; and out again.
import { test, before, after } from "node:test";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { sparePort } from "./demo.mjs";
import { install } from "./fresh.mjs";
import { witness } from "./witness.mjs";

const SECRET = "a-secret-of-the-browser-tests-alone-0123456789";
const ACCOUNTS = {
  ada: { email: "ada@example.com", email_verified: true, name: "Ada Lovelace", groups: ["sre"] },
  eve: { email: "eve@example.com", email_verified: true, name: "Eve", groups: [] },
};
let fanal, provider;

before(async () => {
  const port = await sparePort();
  const issuer = `http://127.0.0.1:${port}`;
  fanal = await install({ configuration: "page: { name: Lantern }\n", settings: {
    FANAL_OIDC_ISSUER: issuer, FANAL_OIDC_CLIENT_ID: "fanal", FANAL_OIDC_CLIENT_SECRET: SECRET, FANAL_OIDC_ROLES: "sre=operator", FANAL_OIDC_NAME: "Acme ID",
  } });
  const redirect = `${fanal.base}console/log-in/oidc/callback`;
  provider = spawn("node", ["provider.mjs", JSON.stringify({ port, secret: SECRET, redirect, accounts: ACCOUNTS })], { cwd: new URL("../oidc", import.meta.url), stdio: "ignore" });
  const answers = () => fetch(`${issuer}/.well-known/openid-configuration`).then(answer => answer.ok, () => false);
  for (let n = 0; n < 300 && !(await answers()); n++) await new Promise(done => setTimeout(done, 100));
  assert.ok(await answers(), "the provider answers: `npm ci` in tests/oidc installs it");
}, { timeout: 120_000 });

after(async () => { provider?.kill(); await fanal?.stop(); });

/** Somebody who presses the button and does at the provider what it asks for. */
async function comes(login) {
  const context = await fanal.browser.newContext();
  const seen = await witness(context);
  const page = await context.newPage();
  await page.goto(`${fanal.base}console/incidents`);
  await page.getByRole("link", { name: "Log in with Acme ID" }).click();
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.getByRole("button", { name: "Continue" }).click();
  await page.waitForURL(url => url.href.startsWith(fanal.base));
  return { context, page, seen: () => seen.filter(line => line.includes(fanal.base)) };
}

test("somebody of a group that has a role comes in where they wanted to go, with that role", { timeout: 60_000 }, async () => {
  const { context, page, seen } = await comes("ada");
  await page.waitForURL(`${fanal.base}console/incidents`);
  assert.match(await page.getByRole("banner").textContent(), /Ada Lovelace\s*operator/);
  assert.equal(await page.getByRole("link", { name: "Team", exact: true }).count(), 0, "an operator sees no team");
  const [session] = (await context.cookies()).filter(cookie => cookie.name === "fanal-session");
  assert.ok(session.httpOnly && session.sameSite === "Lax");
  assert.deepEqual(seen(), []);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(`${fanal.base}console/log-in`);
  await page.goto(`${fanal.base}console/incidents`);
  assert.match(page.url(), /log-in/, "nobody is signed in any more");
});

test("somebody whom no group lets in is told so, and is not signed in", { timeout: 60_000 }, async () => {
  const { context, page } = await comes("eve");
  assert.match(await page.locator("main").textContent(), /You have no role here/);
  assert.deepEqual((await context.cookies()).filter(cookie => cookie.name === "fanal-session"), []);
});
