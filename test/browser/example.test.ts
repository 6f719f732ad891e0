import { join } from "node:path";
import { fileURLToPath } from "node:url";
import axeCore from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.node.ts";
import { layoutGrid } from "../../src/io/images/grid.ts";
import { encodePng, loadSharp } from "../../src/io/images/images.node.ts";
import { toBytes } from "../../src/io/images/pixels.ts";
import { diffusionFromCheckpoint, modelFromCheckpoint } from "../../src/checkpoint/from-checkpoint.ts";
import { readCheckpoint } from "../../src/checkpoint/run-directory.node.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { edgeContrasts } from "./contrast.ts";
import { ISOLATION, Site } from "./site.ts";

// What a page has that has run axe's source.
declare global {
  var axe: typeof axeCore;
}

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
  const idle = (): Promise<unknown> => page.waitForSelector("body[aria-busy=false]", { timeout: 200_000 });
  const statusIs = (id: string, pattern: string): Promise<unknown> => {
    const matches = ([id, pattern]: readonly string[]) =>
      new RegExp(pattern).test(document.getElementById(id)?.textContent ?? "");
    return page.waitForFunction(matches, [id, pattern], { timeout: 200_000 });
  };
  const focused = (): Promise<string | undefined> => page.evaluate(() => document.activeElement?.id);
  const isInView = (id: string): Promise<boolean> =>
    page.$eval(`#${id}`, (element) => {
      const { top, bottom, height } = element.getBoundingClientRect();
      return height > 0 && top >= 0 && bottom <= innerHeight;
    });

  /** The red channel of what the page has drawn. */
  const drawn = (id = "images"): Promise<number[]> =>
    page.$eval(`canvas#${id}`, (canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const pixels = (canvas as HTMLCanvasElement).getContext("2d")?.getImageData(0, 0, width, height).data ?? [];
      return Array.from(pixels).filter((_, i) => i % 4 === 0);
    });

  async function fill(values: Readonly<Record<string, number>>): Promise<void> {
    for (const [id, value] of Object.entries(values)) await page.fill(`#${id}`, String(value));
  }

  async function downloadedBy(id: string): Promise<{ name: string; path: string }> {
    const download = page.waitForEvent("download");
    await page.click(`#${id}`);
    return { name: (await download).suggestedFilename(), path: await (await download).path() };
  }

  test("shows the device and the model that is served with it", async () => {
    await idle();
    expect(await text("device-status")).toMatch(
      /^WebAssembly, \d+ threads?, 128-bit SIMD \(webgpu: the only GPU, .* in software\)$/,
    );
    expect(await text("model-status")).toMatch(/^The garments that come with unnoise: 658,737 parameters, .* 28 × 28/);
  });

  test("draws the garments that Node draws for the same seed, and gives them as a picture", async () => {
    await fill({ steps: 2, count: 2, seed: 7 });
    await page.click("#draw-start");
    await idle();
    expect(await text("draw-status")).toMatch(/^step 2 of 2/);
    const [bytes, expected] = [await drawn(), await garmentsOfNode()];
    expect(bytes).toHaveLength(expected.length);
    expect(Math.max(...bytes.map((byte, i) => Math.abs(byte - expected[i])))).toBeLessThanOrEqual(1);
    expect(new Set(bytes).size).toBeGreaterThan(20);

    const { name, path } = await downloadedBy("save-picture");
    expect(name).toBe("images-of-seed-7.png");
    const sharp = await loadSharp();
    const { data, info } = await sharp(path).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([8 * 59, 8 * 30]);
    const at = (x: number, y: number) => data[3 * ((8 * y + 4) * info.width + 8 * x + 4)];
    expect(Array.from({ length: 59 * 30 }, (_, i) => at(i % 59, Math.floor(i / 59)))).toEqual(bytes);
  });

  test("draws other garments with guidance", async () => {
    const before = await drawn();
    await fill({ guidance: 3 });
    await page.click("#draw-start");
    await idle();
    expect(await page.isHidden("#draw-fault")).toBe(true);
    expect(await drawn()).not.toEqual(before);
    await fill({ guidance: 1 });
  });

  test("starts, stops and fails without taking the keyboard's focus away", async () => {
    await fill({ steps: 1000 });
    await page.focus("#draw-start");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#draw-start:text('Stop')");
    expect(await focused()).toBe("draw-start");
    await page.click("#train-start", { force: true });
    expect(await text("train-fault")).toBe("This waits for what is running: stop that first, or let it end.");
    await page.focus("#draw-start");
    await page.keyboard.press("Enter");
    await idle();
    expect(await focused()).toBe("draw-start");
    expect(await text("draw-start")).toBe("Draw");
    expect(await page.isHidden("#draw-fault")).toBe(true);
  });

  test("says in one line what is wrong with a file, beside where it was chosen, and keeps the model", async () => {
    const model = await text("model-status");
    const file = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("short") };
    await page.setInputFiles("#checkpoint", file);
    await page.waitForSelector("#checkpoint-fault", { state: "visible" });
    expect(await text("checkpoint-fault")).toBe("notes.txt: not a safetensors file, but a text file");
    expect(await text("model-status")).toBe(model);
  });

  test("shows a fault in view, below the button that caused it", async () => {
    await page.setViewportSize({ width: 360, height: 300 });
    await page.focus("#train-start");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#train-fault", { state: "visible" });
    expect(await text("train-fault")).toBe("There are no images to learn from yet: choose some.");
    expect(await isInView("train-fault")).toBe(true);
    expect(await focused()).toBe("train-start");
    expect(await page.isHidden("#checkpoint-fault")).toBe(true);
    await page.setViewportSize({ width: 1280, height: 720 });
  });

  test("trains on chosen images, shows what it draws meanwhile and draws with it, and gives a checkpoint", async () => {
    const files = [40, 200].map(async (level, i) => {
      const picture = { data: new Uint8Array(20 * 16).fill(level), width: 20, height: 16, channels: 1 };
      return { name: `${i}.png`, mimeType: "image/png", buffer: Buffer.from(await encodePng(picture)) };
    });
    await page.setInputFiles("#photos", await Promise.all(files));
    expect(await text("photos-status")).toBe("2 images");
    await page.selectOption("#size", "16");
    await page.selectOption("#channels", "1");
    await fill({ "training-steps": 26 });
    await page.click("#train-start");
    await statusIs("train-status", "^step \\d+ of 26, loss .*, about \\d+ (s|min) left$");
    await page.waitForSelector("#train-further:visible", { timeout: 200_000 });
    await idle();
    expect(await page.isHidden("#train-fault")).toBe(true);
    expect(await text("train-status")).toMatch(/^step 26 of 26, loss \d\.\d{4}$/);
    expect(await text("preview-caption")).toBe("Drawn after 25 steps");
    expect((await drawn("preview")).length).toBe((4 * 17 + 1) * (2 * 17 + 1));
    expect(new Set(await drawn("preview")).size).toBeGreaterThan(20);
    expect(await page.getAttribute("#losses .each", "points")).toMatch(/^(\d+\.\d,\d+\.\d ?){26}$/);
    expect(await text("model-status")).toBe(
      "trained here: 653,313 parameters, 26 steps on 2 images of 16 × 16 (chosen files)",
    );
    expect(await text("draw-status")).toMatch(/^step 35 of 35/);
    const { name, path } = await downloadedBy("save");
    expect(name).toBe("step-26.safetensors");
    expect(await readCheckpoint(path)).toMatchObject({ step: 26, config: { dataset: { width: 16, channels: 1 } } });
  });

  test("trains the same model further", async () => {
    await fill({ "training-steps": 2, steps: 1 });
    await page.click("#train-further");
    await statusIs("train-status", "^step 28 of 28, loss");
    await page.waitForSelector("#train-further:text('Train further')", { timeout: 200_000 });
    await idle();
    expect(await text("model-status")).toMatch(/^trained here: 653,313 parameters, 28 steps/);
  });

  test("keeps what was trained so far when it is stopped", async () => {
    await fill({ "training-steps": 100_000 });
    await page.focus("#train-start");
    await page.keyboard.press("Enter");
    await statusIs("train-status", "^step \\d+ of 100000");
    await page.keyboard.press("Enter");
    await idle();
    expect(await focused()).toBe("train-start");
    expect(await text("model-status")).toMatch(/^trained here: 653,313 parameters, \d+ steps? on 2 images/);
    expect(await page.isVisible("#train-further")).toBe(true);
  });

  test.for([320, 360, 1280])("fits a window of %i pixels", async (width) => {
    await page.setViewportSize({ width, height: 720 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  });

  test.for(["light", "dark"] as const)("has nothing in %s that axe calls serious", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(axeCore.source);
    const violations = await page.evaluate(async () => (await axe.run()).violations);
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
  });

  test.for(["light", "dark"] as const)(
    "draws borders of a contrast of 3 to 1 around controls in %s",
    async (scheme) => {
      await page.emulateMedia({ colorScheme: scheme });
      const contrasts = await edgeContrasts(page, "form input, select, button:not([type=submit]), .drop");
      expect(contrasts.length).toBeGreaterThan(10);
      expect(contrasts.filter(({ contrast }) => !(contrast >= 3))).toEqual([]);
    },
  );

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
