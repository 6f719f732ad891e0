import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as library from "../../src/index.ts";
import { readSafetensors } from "../../src/io/safetensors/safetensors.node.ts";
import { toFloat32 } from "../../src/io/safetensors/safetensors.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { Site } from "./site.ts";

// A page has all of the library as a global.
declare const unnoise: typeof library;

const fixtures = fileURLToPath(new URL("../fixtures/pretrained", import.meta.url));

/** Draws with the folder that the page's server has, and with its files as a user may choose them. */
async function draw(way: "address" | "files"): Promise<number[]> {
  const names = ["model_index.json", "config.json", "scheduler_config.json", "diffusion_pytorch_model.safetensors"];
  const fileOf = async (name: string) => new File([await (await fetch(`./models/tiny/${name}`)).blob()], name);
  const place = way === "address" ? "./models/tiny" : await Promise.all(names.map(fileOf));
  const pipeline = await unnoise.DiffusionPipeline.fromPretrained(place);
  const { data } = await pipeline.sample({ batchSize: 2, steps: 10, sampler: "ddim", eta: 0.5, seed: 3 });
  return [...data];
}

const chromium = findChromium();

describe.skipIf(chromium === undefined)("a page in Chromium (skipped without one)", { timeout: 120_000 }, () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    site = await Site.build(fileURLToPath(new URL("page", import.meta.url)));
    await cp(join(fixtures, "flat"), join(site.folder, "models", "tiny"), { recursive: true });
    browser = await launchChromium(chromium ?? "");
    page = await browser.newPage();
    await page.goto(await site.serve());
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  test.each(["address", "files"] as const)(
    "draws Python's pictures with a diffusers folder, from its %s",
    async (way) => {
      const ours = await page.evaluate(draw, way);
      const theirs = (await readSafetensors(join(fixtures, "drawn.safetensors"))).tensors.get("ddim-of-ddpm");
      if (!theirs) throw new Error("internal: no ddim-of-ddpm");
      const expected = toFloat32(theirs);
      expect(ours).toHaveLength(expected.length);
      const errors = ours.map((value, i) => Math.abs(Math.min(1, Math.max(0, value / 2 + 0.5)) - expected[i]));
      expect(Math.max(...errors)).toBeLessThan(1e-4);
    },
  );
});
