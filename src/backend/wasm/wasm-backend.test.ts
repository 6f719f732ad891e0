import { afterEach, describe, expect, test, vi } from "vitest";
import { ndarray } from "../../tensor/ndarray.ts";
import { compile } from "../compile.ts";
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

describe("UNNOISE_DUMP", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  test("shows the text of programs that are compiled, and changes nothing else", async () => {
    const shown = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const results: number[][] = [];
    for (const dump of ["1", undefined]) {
      vi.stubEnv("UNNOISE_DUMP", dump);
      const backend = await WasmBackend.create(platform, { threads: 1 });
      const double = compile(backend, ({ x }) => ({ outputs: { y: x.multiply(2) } }));
      results.push([...(await double({ x: ndarray([1, 2, 3], [3]) })).y.data]);
      await backend.close();
    }
    expect(results).toEqual([
      [2, 4, 6],
      [2, 4, 6],
    ]);
    expect(shown).toHaveBeenCalledOnce();
    expect(shown.mock.calls[0][0]).toMatch(/^\(module\n[^]*\(func \$map_0 [^]*\(f32\.mul /);
  });
});
