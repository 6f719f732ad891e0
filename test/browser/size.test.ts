import { readFile, readdir } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withCompilerVersion } from "../../scripts/compiler-version.ts";
import { Site } from "./site.ts";

/** Of the core with all that it fetches, gzipped: what compiles programs is in it. */
const MOST_BYTES = 178_500;
const CORE = ["tensor", "compiler", "backend", "nn", "models", "diffusion", "optim", "training"];

/** What only pages need which draw as Python does; a page without them must not have them. */
const FOR_PRETRAINED = ["diffusion/schedulers/", "diffusion/randomness/torch-generator"];

/** A module that keeps all that the package exports of the core's folders. */
async function coreModule(): Promise<string> {
  const index = await readFile(new URL("../../src/index.ts", import.meta.url), "utf8");
  const exports = [...index.matchAll(/^export \{([^}]*)\} from "\.\/((\w+)[^"]*)/gm)];
  const names = exports
    .filter(([, , path, folder]) => CORE.includes(folder) && !FOR_PRETRAINED.some((part) => path.startsWith(part)))
    .flatMap(([, names]) => names.match(/\w+/g) ?? []);
  return `import { ${names.join(", ")} } from "unnoise"; Object.assign(globalThis, { core: [${names.join(", ")}] });`;
}

describe("a Vite page with all of the core", () => {
  const builtins = new Set<string>();
  let site: Site;
  let sizes: { name: string; bytes: number }[];

  /** Notes what asks for a module of Node. */
  const recorder = (): Plugin => ({
    name: "recorder",
    enforce: "pre",
    resolveId(source, importer = "") {
      if (isBuiltin(source)) builtins.add(`${source} in ${importer.replace(/^.*node_modules/, "node_modules")}`);
    },
  });

  beforeAll(async () => {
    const code = await coreModule();
    const core: Plugin = { name: "core", transform: (_, id) => (id.endsWith("page/main.ts") ? code : undefined) };
    const config = { plugins: [core, recorder()], worker: { plugins: () => [recorder(), withCompilerVersion()] } };
    site = await Site.build(fileURLToPath(new URL("page", import.meta.url)), config);
    const assets = join(site.folder, "assets");
    const names = (await readdir(assets)).filter((name) => name.endsWith(".js"));
    const sizeOf = async (name: string) => gzipSync(await readFile(join(assets, name)), { level: 9 }).length;
    sizes = await Promise.all(names.map(async (name) => ({ name, bytes: await sizeOf(name) })));
  }, 60_000);
  afterAll(() => site?.close());

  test(`transfers at most ${MOST_BYTES / 1000} kB, all that it needs for its first picture`, () => {
    const bytes = sizes.reduce((sum, size) => sum + size.bytes, 0);
    console.log(
      `${(bytes / 1000).toFixed(1)} kB gzipped: ${sizes.map(({ name, bytes }) => `${name} ${bytes}`).join(", ")}`,
    );
    expect(bytes).toBeLessThanOrEqual(MOST_BYTES);
    expect(bytes).toBeGreaterThan(MOST_BYTES / 2);
  });

  test("has nothing of what reads diffusers' schedulers or draws PyTorch's numbers", async () => {
    const assets = join(site.folder, "assets");
    const texts = await Promise.all(sizes.map(({ name }) => readFile(join(assets, name), "utf8")));
    const found = texts.flatMap(
      (text) => text.match(/DDPMScheduler|num_train_timesteps|1812433253|\.70376836292/g) ?? [],
    );
    expect(found).toEqual([]);
  });

  test("has no module of Node", () => {
    expect([...builtins]).toEqual([]);
  });
});
