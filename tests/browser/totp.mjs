// What an app on a phone shows.
import { createHmac } from "node:crypto";

/** The six digits of a key in base 32 (RFC 6238 with SHA-1 and 30 seconds). */
export function code(key, at = Date.now()) {
  const bits = [...key.replace(/\s/g, "")].map(c => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const seed = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const hash = createHmac("sha1", seed).update(step).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}
