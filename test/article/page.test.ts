import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import axeCore from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { partNames, readPart } from "../../scripts/tutorial.ts";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { ISOLATION } from "../browser/site.ts";
import { ArticleSite } from "./site.ts";

declare global {
  var axe: typeof axeCore;
}

const chromium = findChromium();
/** Gzipped, of a page as it is opened; fonts apart. */
const MOST_BYTES = 150_000;
/** Pages of each kind, and the widths of windows that they are looked at in. */
const LOOKS = [
  { path: "tutorial/1-noise.html", widths: [320, 360, 1280] },
  { path: "index.html", widths: [320] },
  { path: "samplers.html", widths: [360] },
  { path: "api/data.html", widths: [320] },
];

describe.skipIf(chromium === undefined)("the article's page (skipped without Chromium)", { timeout: 120_000 }, () => {
  let site: ArticleSite;
  let browser: Browser;
  let isolated: string;
  let parts: readonly string[];

  beforeAll(async () => {
    site = await ArticleSite.build();
    isolated = await site.serve(ISOLATION);
    browser = await launchChromium(chromium ?? "");
    parts = (await partNames()).map((name) => `tutorial/${name.replace(/md$/, "html")}`);
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** A page, what it complains of, and what it asks of other origins, which is refused. */
  async function open(path: string, from: Browser | BrowserContext = browser, origin = isolated) {
    const page = await from.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.route(
      (url) => !["data:", "blob:"].includes(url.protocol) && !url.href.startsWith(origin),
      (route) => {
        complaints.push(`asks for ${route.request().url()}`);
        return route.abort();
      },
    );
    await page.goto(origin + path);
    return { page, complaints };
  }

  const cellOf = (page: Page, number: number) => page.locator(`.cell[data-cell="${number}"]`);
  const run = (page: Page, number: number) => cellOf(page, number).getByRole("button", { name: "Run" }).click();

  test("opens without a word on the console, foreign origins blocked, and has every still and link", async () => {
    const targets = new Set<string>();
    for (const path of ["index.html", ...parts, "samplers.html", "api/diffusion.html"]) {
      const { page, complaints } = await open(path);
      await page.waitForLoadState("networkidle");
      await page.$$eval("figure img", (images) =>
        Promise.all((images as HTMLImageElement[]).map((image) => Object.assign(image, { loading: "eager" }).decode())),
      );
      for (const href of await page.$$eval("a[href]", (links) =>
        (links as HTMLAnchorElement[]).map(({ href }) => href),
      )) {
        if (href.startsWith(isolated)) targets.add(href.slice(isolated.length).split("#")[0]);
      }
      expect([path, complaints]).toEqual([path, []]);
      await page.close();
    }
    expect(targets.size).toBeGreaterThan(20);
    for (const target of targets) await access(join(site.folder, target));
  });

  test("is text, MathML and stills without JavaScript", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    for (const name of await partNames()) {
      const part = await readPart(name);
      const source = await readFile(new URL(`../../docs/tutorial/${name}`, import.meta.url), "utf8");
      const formulas = source.replaceAll(/^```[^]*?^```/gm, "").match(/\$\$[^]*?\$\$|\$[^$]+\$/g) ?? [];
      const { page } = await open(`tutorial/${name.replace(/md$/, "html")}`, context);
      expect(await page.locator("math").count(), name).toBe(formulas.length);
      expect(await page.locator("figure img.still").count(), name).toBeGreaterThanOrEqual(part.figures.length);
      for (const figure of await page.locator("[data-figure]").all()) {
        expect(await figure.locator("img.still").count(), await figure.innerHTML()).toBeGreaterThan(0);
      }
      const code = await page.locator(".cell pre.code").allTextContents();
      expect(code).toEqual(part.cells.map((cell) => cell.code));
      await page.close();
    }
    await context.close();
  });

  test(`fetches at most ${MOST_BYTES / 1000} kB gzipped before the reader does anything, fonts apart`, async () => {
    for (const path of ["index.html", ...parts]) {
      const page = await browser.newPage();
      const fetched = new Map<string, number>();
      page.on("response", async (response) => {
        const url = response.url().slice(isolated.length);
        if (response.url().startsWith("data:") || url.endsWith(".woff2")) return;
        fetched.set(url, gzipSync(await readFile(join(site.folder, url))).length);
      });
      await page.goto(isolated + path);
      await page.waitForLoadState("networkidle");
      const bytes = [...fetched.values()].reduce((sum, size) => sum + size, 0);
      console.log(`${path}: ${(bytes / 1000).toFixed(1)} kB gzipped before the first interaction`);
      expect([path, bytes <= MOST_BYTES, [...fetched]]).toEqual([path, true, [...fetched]]);
      expect([...fetched.keys()].filter((url) => /editor|safetensors|idx3|worker/.test(url))).toEqual([]);
      await page.close();
    }
  });

  test.for(["light", "dark"] as const)(
    "has nothing in %s that axe calls serious, nor scrolls sideways",
    async (scheme) => {
      const context = await browser.newContext({ colorScheme: scheme, reducedMotion: "reduce" });
      for (const { path, widths } of LOOKS) {
        const { page } = await open(path, context);
        await page.evaluate(axeCore.source);
        for (const width of widths) {
          await page.setViewportSize({ width, height: 800 });
          expect(await page.evaluate(() => document.documentElement.scrollWidth), `${path} at ${width}`).toBe(width);
          const violations = await page.evaluate(async () => (await axe.run()).violations);
          const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
          const lines = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
          expect([path, width, lines]).toEqual([path, width, []]);
        }
        await page.close();
      }
      await context.close();
    },
  );

  test("runs the cells of a part as one program, and they print what the text shows", async () => {
    const part = await readPart("1-noise.md");
    const { page, complaints } = await open("tutorial/1-noise.html");
    await run(page, part.cells.length);
    await cellOf(page, part.cells.length)
      .locator(".cell-status", { hasText: /^ran in/ })
      .waitFor();
    for (const [i, { printed = "" }] of part.cells.entries()) {
      const texts = await cellOf(page, i + 1)
        .locator(".printed")
        .allTextContents();
      // 128 bits at a time, so the last digit of what is random may differ.
      const digits = (text: string) => text.replaceAll(/\.\d+/g, (found) => found.slice(0, 2));
      expect(digits(texts.join(""))).toBe(digits(printed));
    }
    expect(await page.locator(".cell canvas").count()).toBe(4);
    expect(await page.locator(".cell img.drawing").count()).toBe(2);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("edits and runs a cell by the keyboard alone", async () => {
    const { page } = await open("tutorial/3-network.html");
    const tab = (to: () => boolean) =>
      (async () => {
        for (let i = 0; i < 80; i++) {
          await page.keyboard.press("Tab");
          if (await page.evaluate(to)) return;
        }
        throw new Error("the keyboard does not get there");
      })();
    await tab(() => document.activeElement?.getAttribute("aria-label") === "Code of cell 1");
    await page.waitForSelector(".cm-content:focus");
    await page.keyboard.press("Control+End");
    await page.keyboard.type('console.log("typed", 1 + 1 as number);');
    await page.keyboard.press("Shift+Enter");
    const first = cellOf(page, 1);
    await first.locator(".printed", { hasText: "typed 2" }).waitFor();
    // Tab leaves the editor, to the cell's own buttons.
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Run");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await first.locator(".cm-content").innerText()).not.toContain("typed");
    await page.close();
  });

  test("ends a cell with an endless loop, and lives on; says in one line what is wrong with another", async () => {
    const { page, complaints } = await open("tutorial/1-noise.html");
    const first = cellOf(page, 1);
    const write = async (code: string): Promise<void> => {
      await first.locator(".code:visible").click();
      await page.waitForSelector(".cm-content:focus");
      await page.keyboard.press("Control+A");
      await page.keyboard.type(code);
    };
    await write('console.log("begins");\nwhile (true) {}');
    await run(page, 1);
    await first.locator(".printed", { hasText: "begins" }).waitFor();
    expect(await page.evaluate(() => 1 + 1)).toBe(2);
    await first.getByRole("button", { name: "Stop" }).click();
    await first.getByRole("button", { name: "Run" }).waitFor();

    await write("const found: number = 1;\n\nnothing(found);");
    await run(page, 1);
    expect(await first.locator(".fault").textContent()).toBe("line 3: ReferenceError: nothing is not defined");
    await write("const found = ;");
    await run(page, 1);
    await first.locator(".fault", { hasText: "Unexpected token" }).waitFor();
    expect(await first.locator(".fault").textContent()).toBe("line 1: Unexpected token");
    await write('import { readPytorch } from "unnoise";');
    await run(page, 1);
    await first.locator(".fault", { hasText: "readPytorch" }).waitFor();
    expect(await first.locator(".fault").textContent()).toBe("line 1: unnoise has no readPytorch in a page");
    await write("console.log(6 * 7);");
    await run(page, 1);
    await first.locator(".printed", { hasText: "42" }).waitFor();
    expect(complaints).toEqual([]);
    await page.close();
  });

  test("is isolated after one reload on a host that only serves files, and computes on its threads", async () => {
    const plain = await site.serve();
    const context = await browser.newContext();
    const page = await context.newPage();
    let loads = 0;
    page.on("load", () => loads++);
    await page.goto(`${plain}tutorial/3-network.html`);
    await page.waitForFunction(() => crossOriginIsolated, undefined, { timeout: 20_000 });
    await page.waitForLoadState("networkidle");
    expect(loads).toBe(2);
    await page.goto(`${plain}index.html`);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.waitForLoadState("networkidle");
    expect(loads).toBe(3);
    await context.close();
  });

  test("works on one thread where service workers are forbidden, and does not load again", async () => {
    const plain = await site.serve();
    const context = await browser.newContext({ serviceWorkers: "block" });
    const page = await context.newPage();
    let loads = 0;
    page.on("load", () => loads++);
    await page.goto(`${plain}tutorial/1-noise.html`);
    await run(page, 2);
    await cellOf(page, 2).locator("canvas").waitFor();
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    expect(loads).toBe(1);
    await context.close();
  });
});
