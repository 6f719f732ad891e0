import { describe, expect, test } from "vitest";
import { WasmBackend } from "./wasm-backend.ts";
import * as platform from "./runtime/platform.node.ts";

describe("the number of threads", () => {
  test.each([0, -1, 1.5, Number.NaN, 100_000])("%d is refused", async (threads) => {
    await expect(WasmBackend.create(platform, { threads })).rejects.toThrow(
      new RegExp(`^wasm: threads must be a whole number from 1 to \\d+, got ${threads}$`),
    );
  });

  test.each(["many", "", "100000"])("%j in UNNOISE_THREADS is refused by that name", async (setting) => {
    const environment = (name: string) => (name === "UNNOISE_THREADS" ? setting : undefined);
    await expect(WasmBackend.create({ ...platform, environment })).rejects.toThrow(
      new RegExp(`^wasm: UNNOISE_THREADS must be a whole number from 1 to \\d+, got ${setting}$`),
    );
  });
});
