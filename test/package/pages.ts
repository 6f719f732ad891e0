import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import type { Browser } from "playwright-core";
import { build as vite, createServer } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { webpack } from "webpack";
import * as library from "../../src/index.ts";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { ISOLATION } from "../browser/site.ts";
import { StaticServer } from "../browser/static-server.ts";
import type { PackedProject } from "./packed-project.ts";

// What a page has as a global, and this process: what draws a sample can be done in both.
declare const unnoise: typeof library;
Object.assign(globalThis, { unnoise: library });

const MINUTE = 60_000;

/** A page whose script offers a module of the package as a global. */
const HTML = `<!doctype html><title>page</title><script type="module" src="./main.js"></script>`;
const scriptWith = (module: string): string =>
  `import * as unnoise from "${module}";\nObject.assign(globalThis, { unnoise });\n`;

async function draw(options: library.BackendOptions): Promise<{ description: string; values: number[] }> {
  const backend = await unnoise.createBackend({ device: "wasm", ...options });
  const model = new unnoise.Unet({ dim: 8, channels: 1, dimMults: [1, 2], seed: 3 });
  const diffusion = new unnoise.GaussianDiffusion({ timesteps: 4 });
  const { data } = await diffusion.sample(model, { batchSize: 2, imageSize: 8, seed: 1, backend });
  await backend.close();
  return { description: backend.description, values: [...data] };
}

/** Ways to make a page of a folder with main.js; each returns the folder to be served. */
const BUILDS = {
  Vite: {
    module: "unnoise",
    async build(folder: string) {
      await vite({ root: folder, configFile: false, logLevel: "error", build: { outDir: "out" } });
      return join(folder, "out");
    },
  },
  "webpack 5": {
    module: "unnoise",
    async build(folder: string) {
      const output = { path: join(folder, "out") };
      // Without its advice on sizes, which is not about what works.
      const compiler = webpack({
        context: folder,
        mode: "production",
        entry: "./main.js",
        output,
        performance: false,
      });
      const problems = await new Promise<unknown>((resolve, reject) => {
        compiler?.run((error, stats) => {
          const { errors, warnings } = stats?.toJson({ all: false, errors: true, warnings: true }) ?? {};
          if (error) reject(error);
          else resolve({ errors, warnings });
        });
      });
      expect(problems).toEqual({ errors: [], warnings: [] });
      await cp(join(folder, "index.html"), join(folder, "out", "index.html"));
      return join(folder, "out");
    },
  },
  esbuild: {
    module: "unnoise/browser",
    async build(folder: string) {
      const entryPoints = [join(folder, "main.js")];
      await esbuild({ entryPoints, bundle: true, outfile: join(folder, "out", "main.js"), logLevel: "error" });
      await cp(join(folder, "index.html"), join(folder, "out", "index.html"));
      return join(folder, "out");
    },
  },
  "no bundler": {
    module: "./unnoise.js",
    async build(folder: string) {
      await cp(join(folder, "..", "node_modules", "unnoise", "dist", "browser"), folder, { recursive: true });
      return folder;
    },
  },
};

/** Draws with the installed package in pages that are made in every way that the documentation describes. */
export function describePages(project: () => PackedProject): void {
  describe.skipIf(findChromium() === undefined)("in a page (skipped without Chromium)", { timeout: 2 * MINUTE }, () => {
    let browser: Browser;
    let expected: number[];
    const servers: StaticServer[] = [];

    beforeAll(async () => {
      browser = await launchChromium(findChromium() ?? "");
      expected = (await draw({})).values;
    }, MINUTE);
    afterAll(async () => {
      for (const server of servers) server.close();
      await browser?.close();
    });

    async function serve(folder: string, headers?: Readonly<Record<string, string>>): Promise<string> {
      const server = await StaticServer.start(folder, headers);
      servers.push(server);
      return server.url;
    }

    /** Writes a page into a folder of the project and builds it; returns what is to be served. */
    async function pageOf(name: string, way: keyof typeof BUILDS, module = BUILDS[way].module): Promise<string> {
      const folder = join(project().folder, name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "index.html"), HTML);
      await writeFile(join(folder, "main.js"), scriptWith(module));
      return BUILDS[way].build(folder);
    }

    async function drawnAt(url: string, options: library.BackendOptions = {}): ReturnType<typeof draw> {
      const page = await browser.newPage();
      try {
        await page.goto(url);
        await page.waitForFunction(() => "unnoise" in globalThis, undefined, { timeout: 20_000 });
        return await page.evaluate(draw, options);
      } finally {
        await page.close();
      }
    }

    async function expectDrawn(url: string, options: library.BackendOptions = {}): Promise<void> {
      const { description, values } = await drawnAt(url, options);
      expect(description).toBe(`WebAssembly, ${options.threads === 2 ? "2 threads" : "1 thread"}, 128-bit SIMD`);
      expect(values).toHaveLength(expected.length);
      expect(Math.max(...values.map((value, i) => Math.abs(value - expected[i])))).toBeLessThan(1e-5);
    }

    const ways = Object.keys(BUILDS) as (keyof typeof BUILDS)[];
    test.for(ways)("that %s makes, draws without any setting", async (way) => {
      const folder = await pageOf(`page-${ways.indexOf(way)}`, way);
      await expectDrawn(await serve(folder, ISOLATION), { threads: 2 });
      await expectDrawn(await serve(folder));
    });

    test("from Vite's development server, draws without any setting", async () => {
      await pageOf("page-0", "Vite");
      const root = join(project().folder, "page-0");
      const server = await createServer({ root, configFile: false, logLevel: "error", server: { headers: ISOLATION } });
      await server.listen();
      await expectDrawn(server.resolvedUrls?.local[0] ?? "", { threads: 2 });
      await server.close();
    });

    test("whose bundler leaves the worker out, draws with workerUrl, and says so without", async () => {
      const folder = await pageOf("page-without-worker", "esbuild", "unnoise");
      await cp(join(project().installed, "dist", "browser", "worker.js"), join(folder, "worker.js"));
      const url = await serve(folder, ISOLATION);
      await expectDrawn(url, { threads: 2, workerUrl: "worker.js" });
      await expect(drawnAt(url)).rejects.toThrow(/worker: .* workerUrl/);
      await expect(drawnAt(url, { workerUrl: "elsewhere.js" })).rejects.toThrow(
        `worker: ${url}elsewhere.js could not be loaded as a script`,
      );
    });

    describe("with a Content-Security-Policy", () => {
      const policy = (text: string) => ({ ...ISOLATION, "Content-Security-Policy": text });

      test("draws from the module with its worker inside", async () => {
        const folder = await pageOf("page-policy", "no bundler");
        const least = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:";
        await expectDrawn(await serve(folder, policy(least)), { threads: 2 });
        const withoutBlob = await serve(folder, policy(least.replace("blob:", "'self'")));
        await expect(drawnAt(withoutBlob)).rejects.toThrow("worker: ");
        await expectDrawn(withoutBlob, { workerUrl: "worker.js", threads: 2 });
        const withoutWasm = await serve(folder, policy(least.replace(" 'wasm-unsafe-eval'", "")));
        await expect(drawnAt(withoutWasm)).rejects.toThrow("WebAssembly");
      });

      test("draws as Vite builds it", async () => {
        const folder = await pageOf("page-0", "Vite");
        const least = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'";
        await expectDrawn(await serve(folder, policy(least)), { threads: 2 });
      });
    });

    describe("with the package on another origin", () => {
      const CORS = { "Access-Control-Allow-Origin": "*" };
      const policyFor = (origin: string, workers: string) =>
        `default-src 'none'; script-src 'self' ${origin} 'wasm-unsafe-eval'; worker-src ${workers}`;

      test("draws from the module that is there", async () => {
        const cdn = await serve(join(project().installed, "dist", "browser"), CORS);
        const folder = await pageOf("page-elsewhere", "no bundler", `${cdn}unnoise.js`);
        const headers = { ...ISOLATION, "Content-Security-Policy": policyFor(cdn, "blob:") };
        await expectDrawn(await serve(folder, headers), { threads: 2 });
      });

      test("draws with the worker that is there", async () => {
        const cdn = await serve(join(project().installed, "dist", "browser"), CORS);
        const folder = await pageOf("page-worker-elsewhere", "esbuild", "unnoise");
        const headers = { ...ISOLATION, "Content-Security-Policy": policyFor(cdn, `blob: ${cdn}`) };
        await expectDrawn(await serve(folder, headers), { threads: 2, workerUrl: `${cdn}worker.js` });
        const closed = await serve(join(project().installed, "dist", "browser"));
        await expect(drawnAt(await serve(folder), { workerUrl: `${closed}worker.js` })).rejects.toThrow(
          `worker: ${closed}worker.js could not be loaded as a script`,
        );
      });
    });

    test("is small: the module with its worker inside, compressed", async () => {
      const bytes = gzipSync(await readFile(join(project().installed, "dist", "browser", "unnoise.js")), { level: 9 });
      console.log(`unnoise/browser: ${(bytes.length / 1000).toFixed(1)} kB gzipped`);
      expect(bytes.length).toBeLessThan(221_000);
    });
  });
}
