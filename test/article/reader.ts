import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { toBytes } from "unnoise";
import type { NdArray } from "unnoise";
import { launchChromium } from "../browser/chromium.ts";
import { ISOLATION } from "../browser/site.ts";
import { ArticleSite } from "./site.ts";

/** Opens pages of the article, whose programs lie beside it, and notes what they complain of. */
export class Reader {
  readonly complaints: string[] = [];
  readonly #site: ArticleSite;
  readonly #browser: Browser;
  /** Its address on a host that isolates pages, and on one that only serves files. */
  readonly isolated: string;
  readonly plain: string;

  private constructor(site: ArticleSite, browser: Browser, isolated: string, plain: string) {
    this.#site = site;
    this.#browser = browser;
    this.isolated = isolated;
    this.plain = plain;
  }

  static async start(chromium: string): Promise<Reader> {
    const site = await ArticleSite.build({ hasPrograms: true });
    return new Reader(site, await launchChromium(chromium), await site.serve(ISOLATION), await site.serve());
  }

  /** @param path of the page, with what follows it in its address */
  async open(path: string, origin = this.isolated, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width: 1000, height: 900 }, ...options });
    const page = await context.newPage();
    page.on("console", (message) => message.type() === "error" && this.complaints.push(message.text()));
    page.on("pageerror", (error) => this.complaints.push(error.message));
    await page.goto(origin + path);
    return page;
  }

  /** @returns the programs that the page had to compile, where it is isolated; their names */
  async leave(page: Page): Promise<string[]> {
    const compiled = await page.evaluate(async () => {
      const kept = await caches.open("unnoise-programs");
      return (await kept.keys()).map(({ url }) => new URL(url).pathname);
    });
    await page.context().close();
    return compiled;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    await this.#site.close();
  }
}

/** A figure once it is alive and has nothing to do. */
export async function figureOf(page: Page, name: string): Promise<Locator> {
  const figure = page.locator(`[data-figure="${name}"]`);
  await figure.scrollIntoViewIfNeeded();
  await isIdle(figure);
  return figure;
}

export async function isIdle(figure: Locator): Promise<void> {
  await figure.locator(".frame[data-live=true][data-state=idle]").waitFor({ timeout: 60_000 });
}

/** Gray levels of a canvas of the figure, by the start of its label. */
export function levelsOf(figure: Locator, label: string): Promise<number[]> {
  return figure.locator(`canvas[aria-label^="${label}"]`).evaluate((canvas: HTMLCanvasElement) => {
    const { data } = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
    return Array.from(data).filter((_, i) => i % 4 === 0);
  });
}

export interface GridLook {
  /** Pixels around each image. */
  readonly padding: number;
  /** All in one row unless given. */
  readonly columns?: number;
  /** What a level may differ by; default 1. */
  readonly tolerance?: number;
}

/** The canvas's levels, in its grid of images, are those of the images. */
export function expectLevels(levels: readonly number[], images: NdArray, look: GridLook): void {
  const [count, height, width] = images.shape;
  const { padding, columns = count, tolerance = 1 } = look;
  const row = columns * (width + padding) + padding;
  expect(levels).toHaveLength(row * ((count / columns) * (height + padding) + padding));
  const expected = toBytes(Float32Array.from(images.data));
  const differences = Array.from(expected, (level, i) => {
    const [image, y, x] = [Math.floor(i / (width * height)), Math.floor(i / width) % height, i % width];
    const top = padding + Math.floor(image / columns) * (height + padding);
    return Math.abs(level - levels[(top + y) * row + padding + (image % columns) * (width + padding) + x]);
  });
  expect(Math.max(...differences)).toBeLessThanOrEqual(tolerance);
  // Not blank: the first guess, out of noise alone, has the fewest levels.
  expect(new Set(expected).size).toBeGreaterThan(10);
}

/** Moves a slider to each of the values, one after the other. */
export function slide(figure: Locator, label: string, values: readonly number[]): Promise<void> {
  return figure.getByLabel(label, { exact: true }).evaluate((input: HTMLInputElement, values: readonly number[]) => {
    for (const value of values) {
      input.value = String(value);
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }, values);
}
