import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { GaussianDiffusion } from "../../src/diffusion/gaussian-diffusion.ts";
import type * as Unnoise from "../../src/index.ts";
import { Unet } from "../../src/nn/unet.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { ISOLATION, Site } from "./site.ts";

// The page puts all of the library there; functions given to page.evaluate run in it.
declare const unnoise: typeof Unnoise;

const chromium = findChromium();
const MODEL = { dim: 8, channels: 1, dimMults: [1, 2], seed: 3 };
const DIFFUSION = { timesteps: 20, samplingTimesteps: 4 };
const SAMPLING = { batchSize: 2, imageSize: 8, seed: 5 };

async function samplesOfNode(): Promise<number[]> {
  const backend = await createWasmBackend({ threads: 2 });
  const samples = await new GaussianDiffusion(DIFFUSION).sample(new Unet(MODEL), { ...SAMPLING, backend });
  await backend.close();
  return [...samples.data];
}

describe.skipIf(chromium === undefined)("the library in Chromium (skipped without one)", { timeout: 60_000 }, () => {
  let site: Site;
  let browser: Browser;
  let isolated: string;
  let plain: string;

  beforeAll(async () => {
    site = await Site.build(fileURLToPath(new URL("page", import.meta.url)));
    isolated = await site.serve(ISOLATION);
    plain = await site.serve();
    browser = await launchChromium(chromium ?? "");
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** A page with the library; what it complains of is an error of the test. */
  async function withLibrary(url: string, use: (page: Page) => Promise<void>): Promise<void> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    await page.waitForFunction(() => "unnoise" in globalThis);
    try {
      await use(page);
    } finally {
      await page.close();
    }
    expect(complaints).toEqual([]);
  }

  function sample(page: Page, options: Unnoise.BackendOptions): Promise<{ description: string; values: number[] }> {
    return page.evaluate(
      async ([options, model, diffusion, sampling]) => {
        const backend = await unnoise.createBackend(options);
        const process = new unnoise.GaussianDiffusion(diffusion);
        const samples = await process.sample(new unnoise.Unet(model), { ...sampling, backend });
        await backend.close();
        return { description: backend.description, values: [...samples.data] };
      },
      [options, MODEL, DIFFUSION, SAMPLING] as const,
    );
  }

  const furthest = (a: readonly number[], b: readonly number[]): number =>
    Math.max(...a.map((value, i) => Math.abs(value - b[i])));

  test("samples as in Node on threads where the page is cross-origin isolated", async () => {
    await withLibrary(isolated, async (page) => {
      const { description, values } = await sample(page, { device: "wasm", threads: 2 });
      expect(description).toBe("WebAssembly, 2 threads, 128-bit SIMD");
      expect(furthest(values, await samplesOfNode())).toBeLessThan(1e-5);
    });
  });

  test("samples as in Node on one thread where it is not", async () => {
    await withLibrary(plain, async (page) => {
      const { description, values } = await sample(page, { device: "wasm" });
      expect(description).toBe("WebAssembly, 1 thread, 128-bit SIMD");
      expect(furthest(values, await samplesOfNode())).toBeLessThan(1e-5);
      await expect(sample(page, { device: "wasm", threads: 2 })).rejects.toThrow("2 threads need shared memory");
    });
  });
});
