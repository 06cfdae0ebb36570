// Looks at a page as axe does, and as somebody does who holds a phone or sits at a desk, by day and by night.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/**
 * What axe finds wrong with the page that is open. It gets in as a debugger does: no page lets scripts of others in. The session stays: one that
 * ends takes the virtual authenticator of others along.
 */
export async function faults(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Runtime.evaluate", { expression: axe });
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
}

/** A look that takes its pictures under `prefix`, where `SCREENSHOTS` names a folder, and leaves the page at `size`. */
export const looker = (prefix, { widths: usual = [360, 1280], size = { width: 1280, height: 900 } } = {}) => async (page, name, widths = usual) => {
  for (const colorScheme of ["light", "dark"]) for (const width of widths) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 900 });
    const where = `${name}, ${width}, ${colorScheme}`;
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${where}: nothing sticks out`);
    assert.deepEqual((await faults(page)).map(fault => `${where}: ${fault}`), []);
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/${prefix}-${name}-${width}-${colorScheme}.png`, fullPage: true });
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(size);
};
