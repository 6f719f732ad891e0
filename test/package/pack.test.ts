import { execFile, execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createServer } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type * as Unnoise from "../../src/index.ts";
import { findChromium, launchChromium } from "../browser/chromium.ts";
import { Site } from "../browser/site.ts";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const MINUTES = 60_000;

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}
interface Lockfile {
  readonly packages: Record<string, unknown>;
}

/** The PATH without what npm put before it for its scripts. */
const machinePath = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => !folder.includes("node_modules"))
  .join(delimiter);

/** The environment of a stranger's shell whose Node is `node`: nothing of the npm that runs the tests. */
function shellWith(node: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|VITEST|INIT_CWD)/i.test(name));
  return { ...Object.fromEntries(own), PATH: [dirname(node), machinePath].join(delimiter) };
}

/** This Node, and the machine's own where the package supports it. */
function supportedNodes(): string[] {
  try {
    const report = execFileSync("node", ["-p", "process.execPath + '\\n' + process.version"], {
      env: { ...process.env, PATH: machinePath },
      encoding: "utf8",
    });
    const [path = "", version = ""] = report.trim().split("\n");
    const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
    const isSupported = major > 20 || (major === 20 && minor >= 9);
    return isSupported && path !== process.execPath ? [process.execPath, path] : [process.execPath];
  } catch {
    return [process.execPath];
  }
}

const readJson = async <T>(path: string) => JSON.parse(await readFile(path, "utf8")) as T;

/** Compiles a project with our compiler and returns what it complains of. */
async function compile(project: string): Promise<string> {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const end = (error: unknown) => error as { stdout: string };
  const { stdout } = await execute(process.execPath, [tsc, "-p", project]).catch(end);
  return stdout;
}

const CONSUMER = `
import { GaussianDiffusion, Unet } from "unnoise";

const model: Unet = new Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
// @ts-expect-error the option is a number: types that resolve to any would let this pass
export const wrong = () => new Unet({ dim: "8", channels: 1, dimMults: [1, 2] });
const diffusion = new GaussianDiffusion({ timesteps: 4 });
const images = await diffusion.sample(model, { batchSize: 2, imageSize: 8, seed: 1 });
console.log(model.constructor.name, images.shape.join(), images.data.every(Number.isFinite));
`;

const CONSUMER_CONFIG = {
  compilerOptions: { target: "es2023", module: "nodenext", strict: true, types: [], skipLibCheck: true },
  include: ["main.ts"],
};

// What a page has as a global, see test/browser/page.
declare const unnoise: typeof Unnoise;

/** What the page at an address samples, as text. */
async function sampledBy(url: string): Promise<string> {
  const browser = await launchChromium(findChromium() ?? "");
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => "unnoise" in globalThis);
    return await page.evaluate(async () => {
      const backend = await unnoise.createBackend({ device: "wasm" });
      const model = new unnoise.Unet({ dim: 8, channels: 1, dimMults: [1, 2] });
      const diffusion = new unnoise.GaussianDiffusion({ timesteps: 4 });
      const images = await diffusion.sample(model, { batchSize: 2, imageSize: 8, seed: 1, backend });
      return `${images.shape.join()} ${images.data.every(Number.isFinite)}`;
    });
  } finally {
    await browser.close();
  }
}

describe("the packed package in an empty project", () => {
  let project: string;
  let installed: string;
  let typeErrors: string;

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), "unnoise-package-"));
    installed = join(project, "node_modules", "unnoise");
    const env = shellWith(process.execPath);
    await execute("npm", ["pack", "--pack-destination", project], { cwd: root, env });
    const tarball = (await readdir(project)).find((name) => name.endsWith(".tgz"));
    await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
    await writeFile(join(project, "main.ts"), CONSUMER);
    await writeFile(join(project, "tsconfig.json"), JSON.stringify(CONSUMER_CONFIG));
    const flags = ["--no-audit", "--no-fund", "--prefer-offline"];
    await execute("npm", ["install", `./${tarball}`, ...flags], { cwd: project, env });
    typeErrors = await compile(project);
    await cp(join(root, "test", "browser", "page"), join(project, "page"), { recursive: true });
  }, 5 * MINUTES);

  afterAll(() => rm(project, { recursive: true, force: true }));

  test("is compiled code, a manifest, a README, a licence and the data that it starts from, and small", async () => {
    const paths = await readdir(installed, { recursive: true });
    const stats = await Promise.all(paths.map(async (path) => ({ path, stats: await stat(join(installed, path)) })));
    const files = stats.filter((entry) => entry.stats.isFile());

    expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
    const allowed =
      /^(LICENSE|README\.md|package\.json|data[\\/]fashion-mnist(-classes|-classifier)?[\\/].*|dist[\\/].*(?<!\.test)(\.js|\.d\.ts))$/;
    expect(files.map(({ path }) => path).filter((path) => !allowed.test(path))).toEqual([]);
    expect(files.reduce((bytes, entry) => bytes + entry.stats.size, 0)).toBeLessThan(7_500_000);
  });

  test("brings no development tool", async () => {
    const { devDependencies } = await readJson<Manifest>(join(root, "package.json"));
    const { dependencies } = await readJson<Manifest>(join(installed, "package.json"));
    const { packages } = await readJson<Lockfile>(join(project, "package-lock.json"));
    const tools = Object.keys(devDependencies);

    expect(tools.filter((name) => name in dependencies)).toEqual([]);
    expect(packages).toHaveProperty(["node_modules/unnoise"]);
    expect(tools.filter((name) => `node_modules/${name}` in packages)).toEqual([]);
  });

  test("has types that TypeScript checks", () => {
    expect(typeErrors).toBe("");
  });

  test.for(supportedNodes())("runs on %s", { timeout: MINUTES }, async (node) => {
    const { stdout } = await execute(node, ["main.js"], { cwd: project, env: shellWith(node) });
    expect(stdout.trim()).toBe("Unet 2,8,8,1 true");
  });

  describe.skipIf(findChromium() === undefined)("in a page (skipped without Chromium)", { timeout: MINUTES }, () => {
    test("runs as Vite builds it, without any setting", async () => {
      const site = await Site.build(join(project, "page"), { resolve: {} });
      expect(await sampledBy(await site.serve())).toBe("2,8,8,1 true");
      await site.close();
    });

    test("runs as Vite's development server hands it out, without any setting", async () => {
      const server = await createServer({ root: join(project, "page"), configFile: false, logLevel: "error" });
      await server.listen();
      expect(await sampledBy(server.resolvedUrls?.local[0] ?? "")).toBe("2,8,8,1 true");
      await server.close();
    });
  });

  test.for(supportedNodes())("answers `npx unnoise --help` on %s", { timeout: MINUTES }, async (node) => {
    const { stdout } = await execute("npx", ["unnoise", "--help"], { cwd: project, env: shellWith(node) });
    expect(stdout).toMatch(/^Usage: unnoise/);
  });
});
