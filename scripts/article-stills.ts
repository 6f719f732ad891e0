// Photographs live figures of the article for Git hosts and pages without JavaScript, into docs/figures/:
//   node scripts/article-stills.ts [name ...]
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import type { Locator } from "playwright-core";
import sharp from "sharp";
import { createServer } from "vite";
import { findChromium } from "../test/browser/chromium.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "docs", "figures");

/** Figures whose stills no cell of the text draws: on which page they are, and what is done before the photograph. */
const stills: Readonly<Record<string, { readonly page: string; readonly act?: (frame: Locator) => Promise<void> }>> = {
  noise: { page: "1-noise" },
  map: { page: "3-network" },
  points: { page: "4-training", act: (frame) => trainUntil(frame, 600) },
  training: { page: "4-training", act: (frame) => trainUntil(frame, 400) },
  strength: { page: "6-beyond" },
  brush: { page: "6-beyond" },
};

/** Trains until the loss has so many steps. */
async function trainUntil(frame: Locator, steps: number): Promise<void> {
  await frame.getByRole("button", { name: "Train" }).click();
  const has = (text: string): boolean => Number(/Loss after (\d+) steps/.exec(text)?.[1] ?? 0) >= steps;
  const chart = frame.locator(".chart svg");
  while (!has((await chart.getAttribute("aria-label")) ?? "")) await new Promise((resolve) => setTimeout(resolve, 100));
  // It may have come to its end by itself meanwhile.
  if ((await frame.getAttribute("data-state")) === "running") {
    await frame
      .getByRole("button", { name: "Pause" })
      .click({ timeout: 3000 })
      .catch(() => undefined);
  }
  await frame.page().locator(`.frame[data-state=idle]`).first().waitFor();
}

const wanted = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const server = await createServer({ configFile: join(root, "web", "article", "vite.config.ts"), server: { port: 0 } });
await server.listen();
const browser = await chromium.launch({ executablePath: findChromium() ?? "", args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({
    viewport: { width: 900, height: 900 },
    colorScheme: "light",
    deviceScaleFactor: 1.5,
  });
  // From the beginning, as charts are as wide as their place was, and again if the page is loaded again.
  await page.addInitScript(() =>
    addEventListener("DOMContentLoaded", () => {
      document.head.insertAdjacentHTML("beforeend", "<style>.frame-body { padding: 0.8rem }</style>");
    }),
  );
  for (const [name, { page: part, act }] of Object.entries(stills)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await page.goto(`${server.resolvedUrls?.local[0]}tutorial/${part}.html`);
    const figure = page.locator(`[data-figure="${name}"]`);
    await figure.scrollIntoViewIfNeeded();
    const frame = figure.locator(".frame");
    await figure.locator(".frame[data-live=true][data-state=idle]").waitFor({ timeout: 120_000 });
    await act?.(frame);
    const still = await frame.locator(".frame-body").screenshot();
    // The package holds them: few colours are a third of the bytes.
    await sharp(still)
      .png({ palette: true, colours: 128, effort: 10 })
      .toFile(join(folder, `${name}-still.png`));
    process.stdout.write(`${name}\n`);
  }
} finally {
  await browser.close();
  await server.close();
}
