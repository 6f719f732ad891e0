import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withCompilerVersion } from "../../scripts/compiler-version.ts";
import * as library from "../../src/index.ts";
import { compileAhead } from "../../src/backend/compile-ahead.node.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { ISOLATION, Site } from "./site.ts";

// As in library.test.ts: what a page has as a global, this process has too.
declare const unnoise: typeof library;
Object.assign(globalThis, { unnoise: library });

/** Draws with a network of the shipped model's size, which takes a page much longer to compile than to run. */
async function draw(backend: library.Backend): Promise<number[]> {
  const model = new unnoise.Unet({ dim: 28, channels: 1, dimMults: [1, 2, 4], seed: 3 });
  const diffusion = new unnoise.GaussianDiffusion({ timesteps: 20 });
  const images = { batchSize: 1, imageSize: 28, seed: 5 };
  return [...(await diffusion.sample(model, { ...images, steps: 1, backend })).data];
}

interface Drawn {
  readonly values: number[];
  readonly seconds: number;
  /** What the page compiled and kept. */
  readonly kept: string[];
}

const KEPT = "unnoise-programs";

const chromium = findChromium();

describe.skipIf(chromium === undefined)("programs in Chromium (skipped without one)", { timeout: 120_000 }, () => {
  let site: Site;
  let browser: Browser;
  let addresses: Readonly<Record<"threads" | "one thread", string>>;
  let expected: number[];
  let files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

  beforeAll(async () => {
    const worker = { plugins: () => [withCompilerVersion()] };
    site = await Site.build(fileURLToPath(new URL("page", import.meta.url)), { worker });
    files = await compileAhead(async (backend) => void (expected = await draw(backend)));
    const folder = join(site.folder, "programs");
    await mkdir(folder);
    for (const [name, bytes] of files) await writeFile(join(folder, name), bytes);
    addresses = { threads: await site.serve(ISOLATION), "one thread": await site.serve() };
    browser = await launchChromium(chromium ?? "");
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** Draws in a page of its own, from when it asks for a backend until it has the picture. */
  async function drawIn(context: BrowserContext, url: string, programs?: string): Promise<Drawn> {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction(() => "unnoise" in globalThis);
    await page.evaluate(`globalThis.draw = ${draw.toString()}`);
    const drawn = await page.evaluate(
      async ({ options, name }) => {
        const start = performance.now();
        const backend = await unnoise.createBackend(options);
        const values = await (globalThis as unknown as { draw: typeof draw }).draw(backend);
        const seconds = (performance.now() - start) / 1000;
        const kept = (await (await caches.open(name)).keys()).map(({ url }) => url);
        return { values, seconds, kept };
      },
      { options: { device: "wasm" as const, ...(programs !== undefined && { programs }) }, name: KEPT },
    );
    await page.close();
    return drawn;
  }

  const near = (drawn: Drawn): number => Math.max(...drawn.values.map((value, i) => Math.abs(value - expected[i])));

  test.each(["threads", "one thread"] as const)(
    "are compiled once for all visits, or never where the site was built with them, on %s",
    async (kind) => {
      const url = addresses[kind];
      const [visitor, another] = [await browser.newContext(), await browser.newContext()];
      const cold = await drawIn(visitor, url);
      const warm = await drawIn(visitor, url);
      const ahead = await drawIn(another, url, "programs");
      await visitor.close();
      await another.close();
      const seconds = Object.entries({ cold, warm, ahead }).map(
        ([name, { seconds }]) => `${name} ${seconds.toFixed(2)}`,
      );
      console.log(`seconds to the first picture, ${kind}: ${seconds.join(", ")}`);
      for (const drawn of [cold, warm, ahead]) expect(near(drawn)).toBeLessThan(1e-5);
      // The network's step, and the noise that it starts from.
      expect(cold.kept).toHaveLength(2);
      expect(warm.kept).toEqual(cold.kept);
      expect(ahead.kept).toEqual([]);
      expect(ahead.values).toEqual(cold.values);
    },
  );

  test("are compiled anew where what was kept, or came with the site, is damaged", async () => {
    const [url, context] = [addresses["one thread"], await browser.newContext()];
    await context.route("**/*.program", (route) => {
      const bytes = Buffer.from(files.get(route.request().url().split("/").at(-1) ?? "") ?? []);
      bytes[bytes.length >> 1] ^= 1;
      return route.fulfill({ body: bytes });
    });
    const first = await drawIn(context, url, "programs");
    expect(near(first)).toBeLessThan(1e-5);
    expect(first.kept).toHaveLength(2);
    const page = await context.newPage();
    await page.goto(url);
    const damage = async (name: string): Promise<number> => {
      const cache = await caches.open(name);
      const entries = await cache.keys();
      for (const entry of entries) {
        const bytes = new Uint8Array((await (await cache.match(entry))?.arrayBuffer()) ?? new ArrayBuffer());
        bytes[bytes.length >> 1] ^= 1;
        await cache.put(entry, new Response(bytes));
      }
      return entries.length;
    };
    expect(await page.evaluate(damage, KEPT)).toBe(2);
    await page.close();
    const again = await drawIn(context, url);
    expect(again.values).toEqual(first.values);
    await context.close();
  });
});
