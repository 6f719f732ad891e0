import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { layoutGrid } from "../../src/io/grid.ts";
import { encodePng } from "../../src/io/images.node.ts";
import { toBytes } from "../../src/io/pixels.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../src/checkpoint/from-checkpoint.ts";
import { readCheckpoint } from "../../src/checkpoint/run-directory.node.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { ISOLATION, Site } from "./site.ts";

const chromium = findChromium();
const MODEL = fileURLToPath(new URL("../../data/fashion-mnist-classes/model.safetensors", import.meta.url));

/** Gray levels of two garments that Node draws in two steps, laid out as the page does. */
async function garmentsOfNode(): Promise<Uint8Array> {
  const backend = await createWasmBackend();
  const checkpoint = await readCheckpoint(MODEL);
  const samples = await diffusionFromCheckpoint(checkpoint).sample(await modelFromCheckpoint(checkpoint), {
    sampler: "ddim",
    steps: 2,
    seed: 7,
    classes: [0, 1],
    imageSize: 28,
    backend,
  });
  await backend.close();
  const images = { data: toBytes(samples.data as Float32Array), shape: samples.shape };
  return layoutGrid(images, { columns: 2, padding: 1, background: 128 }).data;
}

describe.skipIf(chromium === undefined)("examples/browser (skipped without Chromium)", { timeout: 240_000 }, () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    const root = fileURLToPath(new URL("../../examples/browser", import.meta.url));
    site = await Site.build(root, { configFile: join(root, "vite.config.ts") });
    browser = await launchChromium(chromium ?? "");
    page = await browser.newPage();
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(await site.serve(ISOLATION));
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const text = async (id: string): Promise<string> => (await page.textContent(`#${id}`)) ?? "";
  const idle = (): Promise<unknown> => page.waitForSelector("#draw-start:enabled");

  /** The red channel of what the page has drawn. */
  const drawn = (): Promise<number[]> =>
    page.evaluate(() => {
      const canvas = document.querySelector("canvas");
      const pixels = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      return Array.from(pixels).filter((_, i) => i % 4 === 0);
    });

  test("shows the device and the model that is served with it", async () => {
    await idle();
    expect(await text("device-status")).toMatch(
      /^WebAssembly, \d+ threads?, 128-bit SIMD \(webgpu: the only GPU, .* in software\)$/,
    );
    expect(await text("model-status")).toMatch(/^model\S*\.safetensors: 658,737 parameters, .* 28 × 28/);
  });

  test("draws the garments that Node draws for the same seed", async () => {
    for (const [id, value] of [
      ["steps", 2],
      ["count", 2],
      ["seed", 7],
    ]) {
      await page.fill(`#${id}`, String(value));
    }
    await page.click("#draw-start");
    await page.waitForSelector("#draw-stop", { state: "visible" });
    await idle();
    expect(await text("draw-status")).toMatch(/^step 2 of 2/);
    const [bytes, expected] = [await drawn(), await garmentsOfNode()];
    expect(bytes).toHaveLength(expected.length);
    expect(Math.max(...bytes.map((byte, i) => Math.abs(byte - expected[i])))).toBeLessThanOrEqual(1);
    expect(new Set(bytes).size).toBeGreaterThan(20);
  });

  test("says in one line what is wrong with a file, and keeps the model", async () => {
    const model = await text("model-status");
    await page.setInputFiles("#checkpoint", {
      name: "notes.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("short"),
    });
    await page.waitForSelector("#error", { state: "visible" });
    expect(await text("error")).toBe("notes.txt: not a safetensors file: it has 5 bytes and needs at least 8");
    expect(await text("model-status")).toBe(model);
  });

  test("trains on chosen images, draws what it learned, and gives a checkpoint that Node reads", async () => {
    const files = [40, 200].map(async (level, i) => {
      const picture = { data: new Uint8Array(20 * 16).fill(level), width: 20, height: 16, channels: 1 };
      return { name: `${i}.png`, mimeType: "image/png", buffer: Buffer.from(await encodePng(picture)) };
    });
    await page.setInputFiles("#photos", await Promise.all(files));
    expect(await text("photos-status")).toBe("2 images");
    await page.selectOption("#size", "16");
    await page.selectOption("#channels", "1");
    await page.fill("#training-steps", "3");
    await page.fill("#steps", "3");
    await page.click("#train-start");
    await page.waitForSelector("#train-stop", { state: "visible" });
    await page.waitForSelector("#save:enabled", { timeout: 200_000 });
    expect(await page.isHidden("#error")).toBe(true);
    expect(await text("train-status")).toMatch(/^step 3 of 3, loss \d\.\d{4}/);
    expect(await page.getAttribute("#losses .each", "points")).toMatch(/^(\d+\.\d,\d+\.\d ?){3}$/);
    expect(await text("model-status")).toBe(
      "trained here: 653,313 parameters, 3 steps on 2 images of 16 × 16 (chosen files)",
    );
    expect(await text("draw-status")).toMatch(/^step 25 of 25/);
    const download = page.waitForEvent("download");
    await page.click("#save");
    const checkpoint = await readCheckpoint(await (await download).path());
    expect(checkpoint).toMatchObject({ step: 3, config: { dataset: { width: 16, channels: 1 } } });
  });

  test("has a name for everything that can be used", async () => {
    const nameless = await page.$$eval("input, select, button, progress, canvas, svg", (elements) =>
      elements
        .filter((element) => {
          const labels = (element as HTMLInputElement).labels?.length ?? 0;
          return labels === 0 && !element.ariaLabel && element.textContent?.trim() === "";
        })
        .map((element) => element.id),
    );
    expect(nameless).toEqual([]);
  });

  test("has complained of nothing", async () => {
    expect(complaints).toEqual([]);
  });
});
