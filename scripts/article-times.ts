// How long a reader waits for each figure of the article, after npm run build:article: node scripts/article-times.ts [figure ...]
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { BrowserContext } from "playwright-core";
import { preview } from "vite";
import { findChromium } from "../test/browser/chromium.ts";

const configFile = fileURLToPath(new URL("../web/article/vite.config.ts", import.meta.url));
const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

interface Wait {
  readonly page: string;
  readonly figure: string;
  /** What the reader presses first, and what is there when it has been answered; without, that the figure is alive. */
  readonly press?: string;
  readonly answer?: string;
}

const LEARNING = '.chart svg[aria-label^="Loss after"]:not([aria-label*=" 0 steps"])';
const waits: readonly Wait[] = [
  { page: "index", figure: "opening" },
  { page: "index", figure: "opening", press: "Draw others", answer: 'canvas[aria-label*="after 1 of"]' },
  ...["noise", "walks", "schedules"].map((figure) => ({ page: "tutorial/1-noise", figure })),
  { page: "tutorial/2-objective", figure: "perfect" },
  { page: "tutorial/3-network", figure: "map" },
  { page: "tutorial/4-training", figure: "points" },
  { page: "tutorial/4-training", figure: "points", press: "Train", answer: LEARNING },
  { page: "tutorial/4-training", figure: "training", press: "Train", answer: LEARNING },
  ...["guess", "denoising"].map((figure) => ({ page: "tutorial/5-sampling", figure })),
  ...["samplers", "guidance", "strength", "between", "brush"].map((figure) => ({ page: "tutorial/6-beyond", figure })),
];

/** Runs in the page before anything else: notes when the selector first finds something. */
function noteWhenFound(selector: string): void {
  const noted = globalThis as { found?: number };
  new MutationObserver(() => {
    if (noted.found === undefined && document.querySelector(selector) !== null) {
      requestAnimationFrame(() => (noted.found ??= performance.now()));
    }
  }).observe(document, { subtree: true, childList: true, attributes: true });
}

/** Seconds from the opening of the page at the figure, or from the press, to the picture. */
async function secondsOf(context: BrowserContext, address: string, wait: Wait): Promise<number> {
  const { page: path, figure, press, answer } = wait;
  const place = `[data-figure="${figure}"]`;
  const isAlive = `${place} .frame[data-live=true]`;
  const page = await context.newPage();
  const found = async (): Promise<number> => {
    const handle = await page.waitForFunction(() => (globalThis as { found?: number }).found, undefined, {
      timeout: 90_000,
    });
    return Number(await handle.jsonValue());
  };
  try {
    await page.addInitScript(noteWhenFound, answer === undefined ? isAlive : `${place} ${answer}`);
    await page.goto(`${address}${path}.html#figure-${figure}`);
    if (press === undefined) return (await found()) / 1000;
    await page.waitForSelector(isAlive);
    await page.waitForLoadState("networkidle");
    const start = await page.evaluate(() => performance.now());
    await page.locator(place).getByRole("button", { name: press, exact: true }).click();
    return ((await found()) - start) / 1000;
  } finally {
    await page.close();
  }
}

const wanted = process.argv.slice(2);
const server = await preview({ configFile, logLevel: "error", preview: { port: 0, headers: isolation } });
const browser = await chromium.launch({ executablePath: findChromium() ?? "", args: ["--no-sandbox"] });
try {
  const address = server.resolvedUrls?.local[0] ?? "";
  process.stdout.write("| figure | cold | warm |\n| --- | --: | --: |\n");
  for (const wait of waits) {
    if (wanted.length > 0 && !wanted.includes(wait.figure)) continue;
    // Nothing is kept of what others fetched; the second time all is.
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    const [cold, warm] = [await secondsOf(context, address, wait), await secondsOf(context, address, wait)];
    await context.close();
    const name = wait.press === undefined ? wait.figure : `${wait.figure}, "${wait.press}"`;
    process.stdout.write(`| ${name} | ${cold.toFixed(2)} | ${warm.toFixed(2)} |\n`);
  }
} finally {
  await browser.close();
  await server.close();
}
