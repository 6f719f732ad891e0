import { readFile } from "node:fs/promises";
import axeCore from "axe-core";
import sharp from "sharp";
import type { BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  GaussianDiffusion,
  compile,
  decodeCheckpoint,
  fashionMnist,
  modelFromCheckpoint,
  ndarray,
  parseSafetensors,
  randn,
} from "unnoise";
import { SMALL_SIDE, halved } from "../../web/article/figures/common/garment-sizes.ts";
import { garmentOf } from "../../web/article/figures/common/garments.ts";
import type { Drawer } from "../../web/article/figures/common/drawer.ts";
import { firstGarments, nodeDrawer } from "../../web/article/figures/common/test-data.ts";
import { denoise } from "../../web/article/figures/denoising/model.ts";
import { Guesser } from "../../web/article/figures/guess/model.ts";
import { MOST_OFF } from "../../web/article/figures/opening/moments.ts";
import { FIRST_SEED, openingSettings } from "../../web/article/figures/opening/settings.ts";
import { runningMeans } from "../../web/article/figures/parts/running-means.ts";
import { GarmentLearner } from "../../web/article/figures/training/model.ts";
import { findChromium } from "../browser/chromium.ts";
import { ownPictures } from "./own-pictures.ts";
import { Reader, expectLevels, figureOf, isIdle, levelsOf, slide } from "./reader.ts";

declare global {
  var axe: typeof axeCore;
}

const chromium = findChromium();
/** The longest that the page may be busy at a time while a network trains in it, in milliseconds. */
const LONGEST_TASK = 100;

describe.skipIf(chromium === undefined)("live figures (skipped without Chromium)", { timeout: 120_000 }, () => {
  let reader: Reader;
  let drawer: Drawer;
  let garments: Uint8Array;

  beforeAll(async () => {
    [reader, drawer, garments] = await Promise.all([Reader.start(chromium ?? ""), nodeDrawer(), firstGarments()]);
  }, 240_000);
  afterAll(async () => {
    await reader?.stop();
    await drawer?.backend.close();
    expect(reader?.complaints).toEqual([]);
  });

  const open = (part: string, origin?: string, options?: BrowserContextOptions): Promise<Page> =>
    reader.open(`tutorial/${part}.html`, origin, options);
  /** No figure compiles a program in the page. */
  const leave = async (page: Page): Promise<void> => expect(await reader.leave(page)).toEqual([]);

  test("the noise slider mixes as qSample does in Node, on other schedules too, and by the keyboard", async () => {
    const page = await open("1-noise");
    const figure = await figureOf(page, "noise");
    const slider = figure.getByLabel("time t", { exact: true });
    const picture = garmentOf(garments, 18);
    const expectMixture = async (betaSchedule: "linear" | "cosine", t: number): Promise<void> => {
      await figure.locator(`canvas[aria-label^="The picture at t = ${t}:"]`).waitFor();
      const diffusion = new GaussianDiffusion({ timesteps: 300, betaSchedule });
      const mix = compile(drawer.backend, ({ x, noise, t }) => ({ outputs: { x: diffusion.qSample(x, t, noise) } }));
      const { x } = await mix({ x: picture, t: ndarray([t], [], "i32"), noise: randn(picture.shape, 1) });
      expectLevels(await levelsOf(figure, "The picture at t"), x, { padding: 0 });
    };
    await expectMixture("linear", 100);
    await slider.focus();
    await page.keyboard.press("End");
    await expectMixture("linear", 299);
    await page.keyboard.press("PageDown");
    await page.keyboard.press("ArrowLeft");
    const t = Number(await slider.inputValue());
    expect(t).toBeLessThan(298);
    await expectMixture("linear", t);
    // The schedules' figure drives this one.
    const schedules = await figureOf(page, "schedules");
    await schedules.getByRole("radio", { name: /cosine/ }).focus();
    await page.keyboard.press("Space");
    await slide(schedules, "time t", [60]);
    await figureOf(page, "noise");
    await expectMixture("cosine", 60);
    await leave(page);
  });

  test.for(["threads", "one thread"])(
    "the denoising slider shows the samples that Node draws, on %s",
    async (threads) => {
      const isThreaded = threads === "threads";
      const page = isThreaded
        ? await open("5-sampling")
        : await open("5-sampling", reader.plain, { serviceWorkers: "block" });
      const figure = await figureOf(page, "denoising");
      const device = await figure.locator(".frame-foot").textContent();
      if (!isThreaded) expect(device).toContain("1 thread,");
      const frames = await denoise(drawer, { seed: 4, steps: 20, eta: 0, batchSize: 8 });
      for (const step of [0, 7, 20]) {
        await slide(figure, "step", [step]);
        const { images, guess } = frames[step];
        await figure.locator("output", { hasText: new RegExp(`^${step} of 20`) }).waitFor();
        expectLevels(await levelsOf(figure, "8 pictures at"), images, { padding: 1 });
        expectLevels(await levelsOf(figure, "The clean pictures"), guess, { padding: 1 });
      }
      const compiled = await reader.leave(page);
      if (isThreaded) expect(compiled).toEqual([]);
    },
  );

  test("twenty events of a slider finish at most two runs, and the last value is shown", async () => {
    const page = await open("5-sampling");
    const figure = await figureOf(page, "guess");
    await figure.locator('canvas[aria-label^="The noisy picture"]').evaluate((canvas) => {
      const seen = globalThis as unknown as { runs: number };
      seen.runs = 0;
      // The label says what is drawn, so it changes with each run that ends.
      new MutationObserver((changes) => (seen.runs += changes.length)).observe(canvas, {
        attributeFilter: ["aria-label"],
      });
    });
    await slide(
      figure,
      "time t",
      Array.from({ length: 20 }, (_, i) => 30 * i + 10),
    );
    await figure.locator('canvas[aria-label="The noisy picture at t = 580"]').waitFor();
    const runs = await page.evaluate(() => (globalThis as unknown as { runs: number }).runs);
    expect(runs).toBeGreaterThanOrEqual(1);
    expect(runs).toBeLessThanOrEqual(2);
    const { noisy } = await new Guesser(drawer.backend, drawer.diffusion, drawer.model).at(
      garmentOf(garments, 0),
      580,
      3,
    );
    expectLevels(await levelsOf(figure, "The noisy picture at t = 580"), noisy, { padding: 0 });
    await leave(page);
  });

  test("the article opens with what was drawn ahead, computes nothing for it, and then draws others", async () => {
    const page = await reader.open("index.html");
    const figure = await figureOf(page, "opening");
    const look = { columns: 8, padding: 1 };
    const drawn = await denoise(drawer, openingSettings(FIRST_SEED));
    for (const step of [0, 11, 20]) {
      await slide(figure, "step", [step]);
      await figure.locator("output", { hasText: new RegExp(`^${step} of 20`) }).waitFor();
      const levels = await levelsOf(figure, `16 garments after ${step} of 20`);
      expectLevels(levels, drawn[step].images, { ...look, tolerance: MOST_OFF + 1 });
    }
    expect(page.workers()).toHaveLength(0);
    await figure.getByRole("button", { name: "Draw others" }).click();
    await figure.locator(".frame-foot", { hasText: "WebAssembly" }).waitFor();
    await isIdle(figure);
    expect(await figure.getByLabel("seed").inputValue()).toBe(String(FIRST_SEED + 1));
    const others = await denoise(drawer, openingSettings(FIRST_SEED + 1));
    expectLevels(await levelsOf(figure, "16 garments after 20 of 20"), others[20].images, look);
    await leave(page);
  });

  test("none of the other figures compiles a program either", async () => {
    const objective = await open("2-objective");
    const perfect = await figureOf(objective, "perfect");
    await perfect.getByRole("button", { name: "Draw with the perfect denoiser" }).click();
    await perfect.getByText("are copies of garments above").waitFor();
    await leave(objective);
    const beyond = await open("6-beyond");
    for (const name of ["samplers", "guidance", "strength", "between"]) await figureOf(beyond, name);
    await leave(beyond);
    const drawing = await open("5-sampling");
    const denoising = await figureOf(drawing, "denoising");
    await denoising.getByRole("radio", { name: /DDPM/ }).check();
    await drawing.waitForTimeout(200);
    await isIdle(denoising);
    await leave(drawing);
  });

  test("a link to a figure brings its settings, but none that cannot be, and leaves no trace in the history", async () => {
    const context = { permissions: ["clipboard-read", "clipboard-write"] };
    const path = "tutorial/5-sampling.html?seed=77&t=1000&garment=18&x=%3Cb%3E#figure-guess";
    const page = await reader.open(path, undefined, context);
    const guess = page.locator('[data-figure="guess"]');
    // Of itself: the fragment leads there.
    await isIdle(guess);
    const time = guess.getByLabel("time t", { exact: true });
    expect(await guess.getByLabel("seed").inputValue()).toBe("77");
    expect(await time.inputValue()).toBe("500");
    expect(await guess.getByRole("radio", { name: "bag" }).isChecked()).toBe(true);
    const history = await page.evaluate(() => window.history.length);
    await slide(guess, "time t", [10, 20, 310]);
    await guess.getByRole("button", { name: "Copy link" }).click();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    expect(link).toBe(`${reader.isolated}tutorial/5-sampling.html?seed=77&garment=18&t=310#figure-guess`);
    expect(await page.evaluate(() => [window.history.length, location.href])).toEqual([
      history,
      reader.isolated + path,
    ]);
    await guess.getByRole("button", { name: "Reset" }).click();
    expect(await guess.getByLabel("seed").inputValue()).toBe("3");
    // Other figures keep what they start with.
    expect(await (await figureOf(page, "denoising")).getByLabel("seed").inputValue()).toBe("4");
    await page.goto(link);
    await isIdle(guess);
    expect(await time.inputValue()).toBe("310");
    await leave(page);
  });

  test("a picture of the reader's own is noised as it is seen, a broken one is told in a line, and none leaves the page", async () => {
    const page = await open("1-noise");
    const figure = await figureOf(page, "noise");
    await page.waitForLoadState("networkidle");
    const requests: string[] = [];
    page.on("request", (request) => requests.push(`${request.method()} ${request.url()}`));
    const input = figure.locator("input[type=file]");
    const seen = figure.locator('canvas[aria-label="The picture"]');
    for (const { name, file } of await ownPictures()) {
      await input.setInputFiles({ name, mimeType: name.endsWith("jpg") ? "image/jpeg" : "image/png", buffer: file });
      const upright = await sharp(file).autoOrient().toBuffer();
      const wanted = await sharp(upright)
        .flatten({ background: "white" })
        .resize(96, 96, { fit: "cover" })
        .raw()
        .toBuffer();
      // In the middle of each quarter.
      const places = [24, 72].flatMap((y) => [24, 72].map((x) => 96 * y + x));
      const expected = places.map((at) => [...wanted.subarray(3 * at, 3 * at + 3)]);
      const isThere = async (): Promise<boolean> => {
        const pixels = await seen.evaluate((canvas: HTMLCanvasElement) =>
          Array.from(canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? []),
        );
        return places.every((at, i) => expected[i].every((level, c) => Math.abs(level - pixels[4 * at + c]) <= 6));
      };
      await expect.poll(isThere, { message: name, timeout: 20_000 }).toBe(true);
      expect(await figure.locator(".fault").count()).toBe(0);
    }
    await input.setInputFiles({
      name: "text.png",
      mimeType: "image/png",
      buffer: Buffer.from("no picture\n".repeat(50)),
    });
    await figure.locator(".fault").waitFor();
    expect(await figure.locator(".fault").allTextContents()).toEqual([
      "This file is no image that the browser can read, or one too large for it.",
    ]);
    await figure.getByRole("radio", { name: "dress" }).check();
    await figure.locator(".fault").waitFor({ state: "detached" });
    expect(requests).toEqual([]);
    await leave(page);
  });

  const stepsOf = async (figure: Locator): Promise<number> =>
    Number(/after (\d+) steps/.exec((await figure.locator(".chart svg").getAttribute("aria-label")) ?? "")?.[1] ?? 0);
  const until = async (isTrue: () => Promise<boolean>): Promise<void> => {
    while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 50));
  };

  test("points are learned without a long task on the page, off screen not at all, and go on where they were", async () => {
    const page = await open("4-training");
    const figure = await figureOf(page, "points");
    await figure.getByRole("button", { name: "Train" }).click();
    await until(async () => (await stepsOf(figure)) >= 100);
    const longest = (): Promise<number> =>
      page.evaluate(async () => {
        let longest = 0;
        const observer = new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
        });
        observer.observe({ type: "longtask" });
        await new Promise((resolve) => setTimeout(resolve, 1500));
        observer.disconnect();
        return longest;
      });
    // Where other programs take the processor away, a task is long for that alone: then again.
    const tries: number[] = [];
    while (tries.length < 4 && Math.min(...tries) > LONGEST_TASK) tries.push(await longest());
    expect(Math.min(...tries)).toBeLessThanOrEqual(LONGEST_TASK);

    await page.evaluate(() => scrollTo(0, 0));
    await page.waitForTimeout(500);
    const before = await stepsOf(figure);
    await page.waitForTimeout(1000);
    expect(await stepsOf(figure)).toBe(before);
    await figure.scrollIntoViewIfNeeded();
    await until(async () => (await stepsOf(figure)) > before);
    await figure.getByRole("button", { name: "Pause" }).click();

    // A point of the reader's own, by the keyboard alone.
    await figure.locator(".plane canvas").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Space");
    expect(await figure.getByLabel("Points", { exact: true }).inputValue()).toBe("your own");
    await leave(page);
  });

  test("the page's network loses what it loses in Node, and what it saves is that network", async () => {
    const page = await open("4-training");
    const figure = await figureOf(page, "training");
    await figure.getByRole("button", { name: "Train" }).click();
    await until(async () => (await stepsOf(figure)) >= 20);
    await figure.getByRole("button", { name: "Pause" }).click();
    const save = figure.getByRole("button", { name: "Save the network" });
    await save.waitFor();
    await page.waitForTimeout(300);
    const label = (await figure.locator(".chart svg").getAttribute("aria-label")) ?? "";
    const [download] = await Promise.all([page.waitForEvent("download"), save.click()]);
    const checkpoint = await decodeCheckpoint(parseSafetensors(await readFile(await download.path())), "saved");

    const dataset = await fashionMnist({ split: "test" });
    const boots = Array.from(dataset.labels ?? []).flatMap((name, i) => (name === 9 ? [i] : []));
    const bytes = new Uint8Array(boots.length * 28 * 28);
    await dataset.read(boots, bytes);
    const learner = new GarmentLearner(drawer.backend, halved(bytes), 0);
    await learner.train(checkpoint.step);

    const [, steps, mean] = /after (\d+) steps: ([\d.]+)/.exec(label) ?? [];
    const ofNode = runningMeans(learner.losses, 20)[Number(steps) - 1];
    expect(Number(steps)).toBeGreaterThanOrEqual(20);
    expect(Math.abs(Number(mean) - ofNode)).toBeLessThan(1e-4);
    const sample = async (model: Awaited<ReturnType<typeof modelFromCheckpoint>>) =>
      new GaussianDiffusion({ timesteps: 300, betaSchedule: "cosine", objective: "predX0" }).sample(model, {
        backend: drawer.backend,
        batchSize: 2,
        imageSize: SMALL_SIDE,
        seed: 1,
        steps: 5,
      });
    const [saved, own] = [
      await sample(await modelFromCheckpoint(checkpoint)),
      await sample(learner.trainer.samplingModel),
    ];
    expect(Math.max(...saved.data.map((value, i) => Math.abs(value - own.data[i])))).toBeLessThan(1e-3);
    learner.dispose();
    await leave(page);
  });

  test("the map of the network answers to the keyboard, and the brush paints by it", async () => {
    const page = await open("3-network");
    const map = await figureOf(page, "map");
    await map.getByRole("button", { name: "downs.0.0" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await map.locator(".about").textContent()).toMatch(/downs\.0\.2 attention.*28 × 28 × 28/);
    await page.keyboard.press("End");
    expect(await map.locator(".about").textContent()).toMatch(/final_conv.*28 × 28 × 1.*29 \(0.0 %\)/);
    await leave(page);

    const beyond = await open("6-beyond", undefined, {
      viewport: { width: 360, height: 800 },
      reducedMotion: "reduce",
    });
    const brush = await figureOf(beyond, "brush");
    const labelled = await beyond
      .locator("label[for]")
      .evaluateAll((labels) =>
        labels.map(
          (label) => label.parentElement?.querySelector("input, select") === (label as HTMLLabelElement).control,
        ),
      );
    expect(new Set(labelled)).toEqual(new Set([true]));
    expect(await brush.getByText("4 ways to go on").count()).toBe(1);
    await brush.getByRole("button", { name: "Clear" }).click();
    await brush.locator(".pad").focus();
    await beyond.keyboard.press("Shift+ArrowLeft");
    await beyond.keyboard.press("Space");
    await beyond.keyboard.press("]");
    expect(await brush.getByLabel("brush", { exact: true }).inputValue()).toBe("6");
    await beyond.waitForTimeout(500);
    await figureOf(beyond, "brush");
    await leave(beyond);
  });

  test.for([360, 1000])("no canvas is stretched, %d pixels wide", async (width) => {
    for (const [part, names] of [
      ["1-noise", ["noise", "walks"]],
      ["2-objective", ["perfect"]],
      ["4-training", ["points"]],
    ] as const) {
      const page = await open(part, undefined, { viewport: { width, height: 800 } });
      for (const name of names) {
        const shapes = await (
          await figureOf(page, name)
        ).evaluate((figure) =>
          Array.from(figure.querySelectorAll("canvas"), (canvas) => [
            canvas.clientWidth / canvas.clientHeight,
            canvas.width / canvas.height,
          ]),
        );
        expect(shapes.length, name).toBeGreaterThan(0);
        for (const [shown, drawn] of shapes) expect(shown / drawn, name).toBeCloseTo(1, 1);
      }
      await leave(page);
    }
  });

  test.for(["light", "dark"] as const)(
    "alive, in %s and 320 pixels wide, they have nothing that axe calls serious",
    async (scheme) => {
      for (const [part, names] of [
        ["1-noise", ["noise", "walks", "schedules"]],
        ["3-network", ["map"]],
        ["4-training", ["points", "training"]],
      ] as const) {
        const page = await open(part, undefined, { colorScheme: scheme, viewport: { width: 320, height: 800 } });
        for (const name of names) await figureOf(page, name);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), part).toBe(320);
        await page.evaluate(axeCore.source);
        const violations = await page.evaluate(async () => (await axe.run()).violations);
        const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
        expect([part, serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)]).toEqual([
          part,
          [],
        ]);
        await leave(page);
      }
    },
  );
});
