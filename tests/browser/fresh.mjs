// An instance as it is after installing: `fanal serve` on an empty folder, and a browser.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, sparePort } from "./demo.mjs";

/** How long a busy machine may take to start it. */
const PATIENCE_MS = 60_000;

/** Starts it on SQLite, with `configuration` applied before, if there is one. `setUp` is the link that its first start prints. */
export async function install({ configuration, settings = {} } = {}) {
  const [port, ops, folder] = [await sparePort(), await sparePort(), mkdtempSync(join(tmpdir(), "fanal-browser-"))];
  const base = `http://127.0.0.1:${port}/`;
  const env = {
    ...process.env, FANAL_DATA_DIR: join(folder, "data"), FANAL_SECRET_KEY: randomBytes(32).toString("base64"),
    FANAL_LISTEN: `127.0.0.1:${port}`, FANAL_OPS_LISTEN: `127.0.0.1:${ops}`, FANAL_BASE_URL: base, ...settings,
  };
  const command = (...words) => execFileSync(process.env.FANAL_BIN, words, { env, encoding: "utf8" });
  if (configuration) {
    writeFileSync(join(folder, "fanal.yaml"), configuration);
    command("apply", "-f", join(folder, "fanal.yaml"));
  }
  let said = "";
  const fanal = spawn(process.env.FANAL_BIN, ["serve"], { env });
  for (const stream of [fanal.stdout, fanal.stderr]) stream.on("data", text => { said += text; });
  const isReady = () => fetch(`http://127.0.0.1:${ops}/readyz`).then(answer => answer.ok, () => false);
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isReady())) {
    assert.ok(Date.now() < deadline && fanal.exitCode === null, `it starts:\n${said}`);
    await new Promise(done => setTimeout(done, 50));
  }
  const browser = await launch();
  const stop = async () => {
    await browser.close();
    const ended = new Promise(done => fanal.once("exit", done));
    fanal.kill("SIGINT");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return { base, browser, command, setUp: /\S+\/console\/setup\/\S+/.exec(said)?.[0], stop };
}
