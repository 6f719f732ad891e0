import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as library from "../../src/index.ts";
import { loadImage } from "../../src/io/images/images.node.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { ISOLATION, Site } from "./site.ts";

// A page has all of the library as a global, and so has this process: what `sample` and `train` do can be done in both,
// as long as they use nothing from around them.
declare const unnoise: typeof library;
Object.assign(globalThis, { unnoise: library });

interface Sampled {
  readonly description: string;
  readonly values: number[];
}

async function sample(options: library.BackendOptions): Promise<Sampled> {
  const backend = await unnoise.createBackend(options);
  const model = new unnoise.Unet({ dim: 8, channels: 1, dimMults: [1, 2], seed: 3 });
  const diffusion = new unnoise.GaussianDiffusion({ timesteps: 20, samplingTimesteps: 4 });
  const { data } = await diffusion.sample(model, { batchSize: 2, imageSize: 8, seed: 5, backend });
  await backend.close();
  return { description: backend.description, values: [...data] };
}

interface Trained {
  readonly losses: number[];
  /** Of the trained model. */
  readonly samples: number[];
  /** Wall time, and the longest time in which the thread that asked for all this could do nothing else. */
  readonly seconds: number;
  readonly longestGap: number;
}

/** Two steps, and images of the model after them. It takes much longer to compile all this than to run it. */
async function train(options: library.BackendOptions): Promise<Trained> {
  const backend = await unnoise.createBackend(options);
  const start = performance.now();
  let [last, longestGap] = [start, 0];
  const clock = setInterval(() => {
    const now = performance.now();
    longestGap = Math.max(longestGap, (now - last) / 1000);
    last = now;
  }, 0);
  const images = Uint8Array.from({ length: 8 * 16 * 16 }, (_, i) => (i * 37) % 256);
  const diffusion = new unnoise.GaussianDiffusion({ timesteps: 20, samplingTimesteps: 2 });
  const trainer = new unnoise.Trainer({
    model: new unnoise.Unet({ dim: 8, channels: 1, dimMults: [1], seed: 3 }),
    diffusion,
    dataset: unnoise.memoryDataset({ name: "stripes", images, shape: [8, 16, 16, 1] }),
    batchSize: 2,
    learningRate: 1e-3,
    seed: 4,
    backend,
  });
  const losses: number[] = [];
  for await (const { loss } of trainer.run({ steps: 2 })) losses.push(loss);
  const { data } = await diffusion.sample(trainer.samplingModel, { batchSize: 1, imageSize: 16, seed: 5, backend });
  const seconds = (performance.now() - start) / 1000;
  clearInterval(clock);
  await backend.close();
  return { losses, samples: [...data], seconds, longestGap };
}

const furthest = (a: readonly number[], b: readonly number[]): number =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i])));

const chromium = findChromium();
const WASM: library.BackendOptions = { device: "wasm" };

describe.skipIf(chromium === undefined)("the library in Chromium (skipped without one)", { timeout: 240_000 }, () => {
  let site: Site;
  let browser: Browser;
  let trainedInNode: Trained;
  let isolated: string;
  let plain: string;

  beforeAll(async () => {
    site = await Site.build(fileURLToPath(new URL("page", import.meta.url)));
    isolated = await site.serve(ISOLATION);
    plain = await site.serve();
    browser = await launchChromium(chromium ?? "");
    trainedInNode = await train(WASM);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Opens the page for as long as `use` takes; what it complains of is an error of the test. */
  async function withPage<T>(url: string, use: (page: Page) => Promise<T>): Promise<T> {
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    await page.waitForFunction(() => "unnoise" in globalThis);
    try {
      return await use(page);
    } finally {
      await page.close();
      expect(complaints).toEqual([]);
    }
  }

  test("samples as in Node on threads where the page is cross-origin isolated", async () => {
    const options: library.BackendOptions = { device: "wasm", threads: 2 };
    const { description, values } = await withPage(isolated, (page) => page.evaluate(sample, options));
    expect(description).toBe("WebAssembly, 2 threads, 128-bit SIMD");
    expect(furthest(values, (await sample(options)).values)).toBeLessThan(1e-5);
  });

  test("samples as in Node on one thread where it is not", async () => {
    const { description, values } = await withPage(plain, (page) => page.evaluate(sample, WASM));
    expect(description).toBe("WebAssembly, 1 thread, 128-bit SIMD");
    expect(furthest(values, (await sample(WASM)).values)).toBeLessThan(1e-5);
  });

  test("samples as in Node on WebGPU, on a GPU in software if it is asked for", async () => {
    const options: library.BackendOptions = { device: "webgpu" };
    const { description, values } = await withPage(plain, (page) => page.evaluate(sample, options));
    expect(description).toBe("WebGPU, google swiftshader");
    expect(furthest(values, (await sample(WASM)).values)).toBeLessThan(1e-4);
  });

  test("takes WebAssembly by itself where the only GPU is one in software", async () => {
    const [description, reason] = await withPage(plain, (page) =>
      page.evaluate(async () => {
        const backend = await unnoise.createBackend();
        return [backend.description, backend.reason];
      }),
    );
    expect(description).toBe("WebAssembly, 1 thread, 128-bit SIMD");
    expect(reason).toBe("webgpu: the only GPU, google swiftshader, is one in software");
  });

  test("refuses threads where memory cannot be shared", async () => {
    const options: library.BackendOptions = { device: "wasm", threads: 2 };
    const sampling = withPage(plain, (page) => page.evaluate(sample, options));
    await expect(sampling).rejects.toThrow("wasm: 2 threads need shared memory");
  });

  test("reads an image file as Node does", async () => {
    const path = fileURLToPath(new URL("../fixtures/images/gray.png", import.meta.url));
    const bytes = [...(await readFile(path))];
    for (const channels of [1, 3]) {
      const expected = await loadImage(path, { channels });
      const found = await withPage(plain, (page) =>
        page.evaluate(
          async ({ bytes, channels }) => {
            const { shape, data } = await unnoise.loadImage(new Blob([Uint8Array.from(bytes)]), { channels });
            return { shape, data: [...data] };
          },
          { bytes, channels },
        ),
      );
      expect(found).toEqual({ shape: expected.shape, data: [...expected.data] });
    }
    const wrong = withPage(plain, (page) => page.evaluate(() => unnoise.loadImage(new File(["no"], "no.png"))));
    await expect(wrong).rejects.toThrow("no.png: not an image that this browser can read");
  });

  // Other programs can hold the page up too: what it does itself, it does in every try.
  test("trains and samples as in Node, and leaves the page responsive meanwhile", { retry: 3 }, async () => {
    const { losses, samples, seconds, longestGap } = await withPage(isolated, (page) => page.evaluate(train, WASM));
    console.log(`${seconds.toFixed(1)} s, the longest gap ${(1000 * longestGap).toFixed(0)} ms`);
    expect(losses).toHaveLength(2);
    expect(furthest(losses, trainedInNode.losses)).toBeLessThan(1e-5);
    expect(furthest(samples, trainedInNode.samples)).toBeLessThan(1e-4);
    expect(longestGap).toBeLessThan(seconds / 4);
  });

  test("trains and samples as in Node on WebGPU", async () => {
    const options: library.BackendOptions = { device: "webgpu" };
    const { losses, samples } = await withPage(plain, (page) => page.evaluate(train, options));
    expect(losses).toHaveLength(2);
    expect(furthest(losses, trainedInNode.losses)).toBeLessThan(1e-4);
    expect(furthest(samples, trainedInNode.samples)).toBeLessThan(1e-3);
  });
});
