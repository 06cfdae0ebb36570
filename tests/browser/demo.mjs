// A demo of its own and a browser, for one file of tests.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { chromium } from "playwright-core";

const ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Debian's Chromium. */
export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGUMENTS });

/** A port that nobody listens on, below those that the kernel takes for outgoing connections: one of those may be gone before the server has it. */
export const sparePort = () => new Promise(done => {
  const port = 18000 + Math.floor(Math.random() * 14000);
  const server = createServer().once("error", () => done(sparePort()));
  server.listen(port, "127.0.0.1", () => server.close(() => done(port)));
});

export async function start(settings = {}, host = "127.0.0.1") {
  const [port, ops] = [await sparePort(), await sparePort()];
  let said = "";
  const fanal = spawn(process.env.FANAL_BIN, ["demo"], { env: { ...process.env, FANAL_LISTEN: `127.0.0.1:${port}`, FANAL_OPS_LISTEN: `127.0.0.1:${ops}`, FANAL_BASE_URL: `http://${host}:${port}/`, ...settings } });
  fanal.stderr.on("data", text => { said += text; });
  fanal.stdout.on("data", text => { said += text; });
  for (let n = 0; n < 300 && !/ -d '/.test(said); n++) await new Promise(done => setTimeout(done, 100));
  const alert = / -d '(.*)'/.exec(said)?.[1];
  assert.ok(alert, `the demo starts and prints a curl line:\n${said}`);
  const setUp = /\S+\/console\/setup\/\S+/.exec(said)?.[0];
  const browser = await launch();
  return { base: `http://${host}:${port}/`, alert, setUp, browser, stop: async () => { await browser.close(); fanal.kill("SIGINT"); } };
}
