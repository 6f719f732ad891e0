import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { build as esbuild } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { loadSharp } from "../../src/io/images/images.node.ts";
import { OLDEST_NODE, fetchNode, machineNode } from "./nodes.ts";
import { RegistryUnreachable, shell } from "./npm.ts";
import { PackedProject, ROOT, readJson } from "./packed-project.ts";
import { describePages } from "./pages.ts";

const execute = promisify(execFile);
const MINUTES = 60_000;

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
}
interface Lockfile {
  readonly packages: Record<string, unknown>;
}

/** Compiles a project with our compiler and returns what it complains of. */
async function compile(project: string): Promise<string> {
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
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

const PAGE = `
import { GaussianDiffusion, Unet, createBackend } from "unnoise/browser";

const backend = await createBackend({ device: "wasm", workerUrl: new URL("worker.js", document.baseURI) });
// @ts-expect-error a page has no files
export type None = typeof import("unnoise/browser").saveGrid;
export const sample = () => new GaussianDiffusion({ timesteps: 10 }).sample(new Unet({ dim: 8 }), { imageSize: 8, backend });
`;

/** As strict as a page's can be: not even libraries may need the types of Node. */
const PAGE_CONFIG = {
  compilerOptions: {
    target: "es2023",
    lib: ["es2023", "dom"],
    module: "esnext",
    moduleResolution: "bundler",
    strict: true,
    types: [],
    noEmit: true,
  },
  include: ["page.ts"],
};

/** Gray levels of an image file. */
async function pixelsOf(path: string): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return new Uint8Array(await sharp(path).toColourspace("b-w").raw().toBuffer());
}

/** Files that a document of the package links to and the package lacks. */
async function deadLinks(installed: string, document: string): Promise<string[]> {
  const text = await readFile(join(installed, document), "utf8");
  const links = [...text.matchAll(/\]\((?!\w+:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(([, path]) => path);
  const isDead = (path: string) => !existsSync(join(installed, dirname(document), path));
  return links.filter(isDead).map((path) => `${document}: ${path}`);
}

describe("the packed package in an empty project", () => {
  let project: PackedProject | undefined;
  let folder: string;
  let installed: string;
  let typeErrors: string;
  let unreachable = "";

  beforeAll(async () => {
    try {
      project = await PackedProject.create();
    } catch (error) {
      if (!(error instanceof RegistryUnreachable)) throw error;
      unreachable = error.message;
      return;
    }
    ({ folder, installed } = project);
    await writeFile(join(folder, "main.ts"), CONSUMER);
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(CONSUMER_CONFIG));
    typeErrors = await compile(folder);
  }, 5 * MINUTES);
  afterAll(() => project?.remove());
  beforeEach(({ skip }) => skip(unreachable !== "", unreachable));

  test("is compiled code, a manifest, documents, examples, a licence and the data that it starts from, and small", async () => {
    const paths = await readdir(installed, { recursive: true });
    const stats = await Promise.all(paths.map(async (path) => ({ path, stats: await stat(join(installed, path)) })));
    const files = stats.filter((entry) => entry.stats.isFile());

    expect(files.map(({ path }) => path)).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json"]));
    const allowed =
      /^(LICENSE|(README|CONTRIBUTING)\.md|package\.json|(docs|examples)[\\/].*|data[\\/]fashion-mnist(-classes|-classifier)?[\\/].*|dist[\\/].*(?<!\.test)(\.js|\.d\.ts))$/;
    expect(files.map(({ path }) => path).filter((path) => !allowed.test(path))).toEqual([]);
    const bytesOf = (folders: RegExp) =>
      files.filter(({ path }) => folders.test(path)).reduce((bytes, entry) => bytes + entry.stats.size, 0);
    expect(bytesOf(/^(docs|examples)[\\/]/)).toBeLessThan(1_750_000);
    expect(bytesOf(/^data[\\/]/)).toBeLessThan(6_100_000);
    expect(bytesOf(/^dist[\\/]browser[\\/]/)).toBeLessThan(970_000);
    expect(bytesOf(/^dist[\\/](?!browser)/)).toBeLessThan(2_800_000);
  });

  test("has every file that its documents link to", async () => {
    const paths = await readdir(installed, { recursive: true });
    const documents = paths.filter((path) => path.endsWith(".md"));
    expect(documents).toEqual(expect.arrayContaining(["README.md", join("docs", "browser.md")]));
    const dead = await Promise.all(documents.map((document) => deadLinks(installed, document)));
    expect(dead.flat()).toEqual([]);
  });

  test("brings no development tool", async () => {
    const { devDependencies } = await readJson<Manifest>(join(ROOT, "package.json"));
    const { dependencies } = await readJson<Manifest>(join(installed, "package.json"));
    const { packages } = await readJson<Lockfile>(join(folder, "package-lock.json"));
    const tools = Object.keys(devDependencies);

    expect(tools.filter((name) => name in dependencies)).toEqual([]);
    expect(packages).toHaveProperty(["node_modules/unnoise"]);
    expect(tools.filter((name) => `node_modules/${name}` in packages)).toEqual([]);
  });

  test("has types that TypeScript checks", () => {
    expect(typeErrors).toBe("");
  });

  test("has types for pages that need none of Node's", async () => {
    const page = join(folder, "typed-page");
    await mkdir(page);
    await writeFile(join(page, "page.ts"), PAGE);
    await writeFile(join(page, "tsconfig.json"), JSON.stringify(PAGE_CONFIG));
    expect(await compile(page)).toBe("");
  });

  test("runs in Node beside a program that esbuild bundles without it", async () => {
    const entryPoints = [join(folder, "main.js")];
    const outfile = join(folder, "bundle.mjs");
    await esbuild({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", external: ["unnoise"] });
    const { stdout } = await execute(process.execPath, [outfile], { cwd: folder, env: shell(process.execPath) });
    expect(stdout.trim()).toBe("Unet 2,8,8,1 true");
  });

  const oldest = OLDEST_NODE.join(".");
  const nodes: Readonly<Record<string, () => Promise<string | undefined>>> = {
    "this Node": async () => process.execPath,
    "the machine's own Node": async () => machineNode(),
    [`Node ${oldest}, the oldest that is promised`]: () => fetchNode(join(folder, "oldest-node"), `${oldest}.0`),
  };

  describe.for(Object.entries(nodes))("on %s", { timeout: 4 * MINUTES }, ([, find]) => {
    let node: string | undefined;
    let missing = "the machine has no other Node that the package supports";

    beforeAll(async () => {
      if (project === undefined) return;
      try {
        node = await find();
      } catch (error) {
        if (!(error instanceof RegistryUnreachable)) throw error;
        missing = error.message;
      }
    }, 4 * MINUTES);
    beforeEach(({ skip }) => skip(node === undefined, missing));

    const run = (...args: readonly string[]) => execute(node ?? "", args, { cwd: folder, env: shell(node) });

    test("runs a program", async () => {
      expect((await run("main.js")).stdout.trim()).toBe("Unet 2,8,8,1 true");
    });

    test("draws the same PNG as this Node, without a warning", async () => {
      const command = join(installed, "dist", "cli", "main.js");
      const draw = (path: string) => [command, "sample", "-n", "2", "--steps", "2", "--seed", "3", "--out", path];
      await execute(process.execPath, draw("expected.png"), { cwd: folder, env: shell(process.execPath) });
      const { stderr } = await run(...draw("drawn.png"));
      expect(stderr).not.toContain("Warning");
      const [drawn, expected] = await Promise.all(
        ["drawn.png", "expected.png"].map((name) => pixelsOf(join(folder, name))),
      );
      expect(drawn).toHaveLength(expected.length);
      expect(new Set(drawn).size).toBeGreaterThan(20);
      expect(Math.max(...drawn.map((level, i) => Math.abs(level - expected[i])))).toBeLessThanOrEqual(1);
    });

    test("answers `npx unnoise --help`", async () => {
      const { stdout } = await execute("npx", ["unnoise", "--help"], { cwd: folder, env: shell(node) });
      expect(stdout).toMatch(/^Usage: unnoise/);
    });
  });

  describePages(() => project as PackedProject);
});
