import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, test, vi } from "vitest";
import { RemoteBackend } from "../../src/backend/remote/remote-backend.ts";
import { describeBackend } from "../backend/contract.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { workerInPage } from "./page-worker.ts";
import { Site } from "./site.ts";

// A driver in software compiles a shader in a tenth of a second.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const chromium = findChromium();
let site: Site;
let browser: Browser;
let url: string;

if (chromium === undefined) {
  test("webgpu backend in Chromium", ({ skip }) => skip("no Chromium on the PATH, and no UNNOISE_CHROMIUM"));
} else {
  beforeAll(async () => {
    site = await Site.build(fileURLToPath(new URL("bridge", import.meta.url)));
    url = await site.serve();
    browser = await launchChromium(chromium);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  describeBackend(
    "webgpu in Chromium",
    async () => RemoteBackend.open(await workerInPage(browser, url), { device: "webgpu" }),
    {
      // WGSL allows a division 2.5 units in the last place and an inverse square root 2, and a square root is one over the other.
      arithmetic: 4.5 * 2 ** -23,
      // WGSL lets a device flush what is smaller than a normal number.
      denormals: false,
      randomGraphs: 10,
    },
  );
}
