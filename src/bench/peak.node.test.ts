import { expect, test } from "vitest";
import { hasRelaxedSimd } from "../backend/wasm/runtime/self-check.ts";
import { measurePeak } from "./peak.node.ts";

test("the peak is more than one multiply-add at a time, and no more than a processor can", async () => {
  const peak = await measurePeak({ wide: false, relaxed: hasRelaxedSimd() }, 1);
  // Four lanes at 1 GHz, half of the time; two units of 16 lanes at 6 GHz.
  expect(peak).toBeGreaterThan(2 * 4 * 0.5e9);
  expect(peak).toBeLessThan(2 * 2 * 16 * 6e9);
});
