import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { circlesOf } from "./support/circles.ts";
import { importsOf, sourceFilesUnder } from "./support/imports.ts";
import type { SourceFile } from "./support/imports.ts";

/** What each folder of src/ may import besides itself. Files directly under src/ may import everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  compiler: ["tensor"],
  backend: ["tensor", "compiler", "config"],
  nn: ["tensor", "config", "io"],
  models: ["nn", "tensor", "config"],
  diffusion: ["models", "nn", "tensor", "config", "compiler", "backend"],
  io: ["tensor", "config"],
  data: ["io", "tensor", "config"],
  config: [],
  optim: ["tensor", "config"],
  checkpoint: ["config", "optim", "data", "io", "diffusion", "models", "nn", "tensor"],
  training: ["checkpoint", "config", "optim", "data", "diffusion", "models", "nn", "backend", "tensor"],
  pretrained: ["checkpoint", "config", "data", "io", "diffusion", "models", "nn", "backend", "tensor"],
  evaluation: ["training", "checkpoint", "config", "optim", "data", "io", "nn", "backend", "tensor"],
  parity: ["training", "config", "optim", "io", "diffusion", "models", "nn", "compiler", "backend", "tensor"],
  bench: ["training", "config", "data", "diffusion", "models", "nn", "compiler", "backend", "tensor"],
  cli: "bench parity evaluation pretrained training checkpoint config optim data io diffusion models nn backend tensor".split(
    " ",
  ),
};

/** The rooms of a device under src/backend/, each of which may import those before it; files beside the rooms import all. */
const ROOMS = ["assembly", "emit", "kernels", "program", "runtime", "tuning"];

/** Circles of files that are to go. */
const CIRCLES_LEFT: readonly (readonly string[])[] = [
  [
    "diffusion/diffusion.ts",
    "diffusion/sampling/cascade.ts",
    "diffusion/sampling/interpolation.ts",
    "diffusion/sampling/sampling.ts",
    "diffusion/sampling/step-program.ts",
  ],
];

/** Run unchanged in a browser, so nothing in them loads a `*.node.ts` file unless it asked where it runs. */
const BROWSER_FOLDERS = [
  "tensor",
  "compiler",
  "backend",
  "nn",
  "models",
  "diffusion",
  "optim",
  "pretrained",
  "evaluation",
  "parity",
];

/** Run in a browser as well as in Node. Every other package needs a `*.node.ts` file, as Node's own modules do. */
const BROWSER_PACKAGES = ["zod/mini"];

const folderOf = (path: string) => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "");
const isRelative = (specifier: string) => specifier.startsWith(".");
const isForNode = (path: string) => path.endsWith(".node.ts") || folderOf(path) === "cli";
const targetOf = (path: string, specifier: string) => posix.join(posix.dirname(path), specifier);

function arrowsUp({ path, imports }: SourceFile): string[] {
  const from = folderOf(path);
  if (from === "") return [];
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return [`${path}: src/${from} has no place in the house`];
  return imports
    .filter(({ specifier }) => isRelative(specifier))
    .map(({ specifier }) => targetOf(path, specifier))
    .filter((target) => folderOf(target) !== from && !allowed.includes(folderOf(target)))
    .map((target) => `${path} imports ${target}`);
}

/** backend/wasm/emit/math.ts is of the device wasm and in its room emit; backend/compile.ts is of none. */
function placeInBackend(path: string): { readonly device?: string | undefined; readonly room?: string | undefined } {
  const [, device, room] = /^backend\/(?:(\w+)\/)?(?:(\w+)\/)?/.exec(path) ?? [];
  return { device, room };
}

/** Devices know what they share and the interface of a backend, but not each other; rooms know those before them. */
function throughWalls({ path, imports }: SourceFile): string[] {
  const { device, room } = placeInBackend(path);
  if (device === undefined) return [];
  const mayImport = (target: string): boolean => {
    const other = placeInBackend(target);
    if (!target.startsWith("backend/") || other.device === "common") return true;
    if (other.device === undefined)
      return target === "backend/backend.ts" || (room === undefined && device !== "common");
    if (other.device !== device) return false;
    if (room === undefined) return true;
    return other.room !== undefined && ROOMS.indexOf(other.room) <= ROOMS.indexOf(room);
  };
  return imports
    .filter(({ specifier }) => isRelative(specifier))
    .map(({ specifier }) => targetOf(path, specifier))
    .filter((target) => !mayImport(target))
    .map((target) => `${path} imports ${target}`);
}

function nodeModulesInBrowserCode({ path, imports }: SourceFile): string[] {
  if (isForNode(path)) return [];
  return imports
    .filter(({ specifier, kind }) => kind !== "type" && !isRelative(specifier))
    .filter(({ specifier }) => isBuiltin(specifier) || !BROWSER_PACKAGES.includes(specifier))
    .map(({ specifier }) => `${path} imports ${specifier}`);
}

function nodeFilesLoadedByBrowserCode({ path, imports }: SourceFile): string[] {
  if (isForNode(path) || !BROWSER_FOLDERS.includes(folderOf(path))) return [];
  return imports
    .filter(({ specifier, kind }) => kind === "static" && specifier.endsWith(".node.ts"))
    .map(({ specifier }) => `${path} imports ${targetOf(path, specifier)}`);
}

function browserFilesLoadedElsewhere({ path, imports }: SourceFile): string[] {
  if (path.endsWith(".browser.ts")) return [];
  return imports
    .filter(({ specifier, kind }) => kind === "static" && specifier.endsWith(".browser.ts"))
    .map(({ specifier }) => `${path} imports ${targetOf(path, specifier)}`);
}

/** Compare or time the article's own network; everyone else knows networks by the registry. */
const KNOW_NETWORKS = ["models", "parity", "bench", ""];

/** Imports of a network's class from one of the folders in models/; a network's options may be looked at. */
function networksKnownElsewhere({ path, imports }: SourceFile): string[] {
  if (KNOW_NETWORKS.includes(folderOf(path))) return [];
  return imports
    .map(({ specifier }) => targetOf(path, specifier))
    .filter((target) => /^models\/(?!conditions\/)\w+\/(?!options\.ts$)/.test(target))
    .map((target) => `${path} imports ${target}`);
}

describe("the sources", () => {
  const files = sourceFilesUnder(fileURLToPath(new URL("../src", import.meta.url)));
  const sources = files.filter(({ path }) => !path.endsWith(".test.ts"));

  test("import only what lies below them", () => {
    expect(sources.flatMap(arrowsUp)).toEqual([]);
  });

  test("of a device import neither another device nor a room above their own", () => {
    expect(sources.flatMap(throughWalls)).toEqual([]);
  });

  test("import each other in no circle, types included", () => {
    const left = new Set(CIRCLES_LEFT.map(String));
    expect(circlesOf(sources).filter((circle) => !left.has(String(circle)))).toEqual([]);
  });

  test("import Node's modules and packages only in *.node.ts files and under cli/", () => {
    expect(sources.flatMap(nodeModulesInBrowserCode)).toEqual([]);
  });

  test("reach *.node.ts files from browser folders only by a dynamic import", () => {
    expect(sources.flatMap(nodeFilesLoadedByBrowserCode)).toEqual([]);
  });

  test("reach *.browser.ts files from others only by a dynamic import", () => {
    expect(sources.flatMap(browserFilesLoadedElsewhere)).toEqual([]);
  });

  test("know networks by the registry alone, outside models/", () => {
    expect(sources.flatMap(networksKnownElsewhere)).toEqual([]);
  });

  test("have no barrel file below src/index.ts", () => {
    expect(sources.map(({ path }) => path).filter((path) => path.endsWith("/index.ts"))).toEqual([]);
  });
});

describe("the rules", () => {
  const file = (path: string, source: string): SourceFile => ({ path, imports: importsOf(source) });

  test("see every way to write an import, and none in comments", () => {
    const source = `
      /** import { no } from "./comment.ts"; */
      import type { A } from "./a.ts";
      import { b } from "./b.ts";
      export * from "./c.ts";
      export type { D } from "./d.ts";
      type E = import("./e.ts").E;
      const f = await import("./f.ts");`;
    expect(importsOf(source)).toEqual([
      { specifier: "./a.ts", kind: "type" },
      { specifier: "./b.ts", kind: "static" },
      { specifier: "./c.ts", kind: "static" },
      { specifier: "./d.ts", kind: "type" },
      { specifier: "./e.ts", kind: "type" },
      { specifier: "./f.ts", kind: "dynamic" },
    ]);
  });

  test("refuse an arrow that points up, also one of types only", () => {
    const source = `import type { Unet } from "../nn/unet.ts"; import { add } from "./op.ts";`;
    expect(arrowsUp(file("tensor/tensor.ts", source))).toEqual(["tensor/tensor.ts imports nn/unet.ts"]);
    expect(arrowsUp(file("backend/wasm/kernel.ts", `import "../../index.ts";`))).toHaveLength(1);
    expect(arrowsUp(file("nn/unet.ts", `import { add } from "../tensor/op.ts";`))).toEqual([]);
  });

  test("keep devices and rooms apart", () => {
    const emit = (specifier: string) => throughWalls(file("backend/wasm/emit/math.ts", `import "${specifier}";`));
    expect(emit("../../webgpu/emit/shader.ts")).toHaveLength(1);
    expect(emit("../kernels/map.ts")).toHaveLength(1);
    expect(emit("../wasm-backend.ts")).toHaveLength(1);
    expect(emit("../../compile.ts")).toHaveLength(1);
    expect(emit("../../common/polynomials.ts")).toEqual([]);
    expect(emit("../../backend.ts")).toEqual([]);
    expect(emit("../../../compiler/program.ts")).toEqual([]);
    const kernels = `import type { A } from "../emit/math.ts"; import "./dot.ts"; import "../runtime/heap.ts";`;
    expect(throughWalls(file("backend/wasm/kernels/map.ts", kernels))).toEqual([
      "backend/wasm/kernels/map.ts imports backend/wasm/runtime/heap.ts",
    ]);
    expect(throughWalls(file("backend/common/checks.ts", `import "../compile.ts";`))).toHaveLength(1);
    expect(throughWalls(file("backend/wasm/wasm-backend.ts", `import "./runtime/heap.ts";`))).toEqual([]);
  });

  test("see circles of any length, also through types, and through files that are in none", () => {
    const files = [
      file("a.ts", `import type { B } from "./x/b.ts";`),
      file("x/b.ts", `import { c } from "../c.ts"; import { leaf } from "./leaf.ts";`),
      file("c.ts", `export { a } from "./a.ts"; import "node:fs";`),
      file("x/leaf.ts", ""),
      file("d.ts", `import { a } from "./a.ts"; import("./e.ts");`),
      file("e.ts", `import type { D } from "./d.ts";`),
    ];
    expect(circlesOf(files)).toEqual([
      ["a.ts", "c.ts", "x/b.ts"],
      ["d.ts", "e.ts"],
    ]);
    expect(circlesOf(files.filter(({ path }) => path !== "c.ts" && path !== "e.ts"))).toEqual([]);
  });

  test("refuse a network's class outside models/, and let its options pass", () => {
    const source = `import { Unet } from "../models/unet/unet.ts"; import "../models/unet/options.ts";`;
    expect(networksKnownElsewhere(file("training/trainer.ts", source))).toEqual([
      "training/trainer.ts imports models/unet/unet.ts",
    ]);
    expect(networksKnownElsewhere(file("parity/sampling.ts", source))).toEqual([]);
    const registry = `import { newModel } from "../models/registry.ts"; import "../models/conditions/declaration.ts";`;
    expect(networksKnownElsewhere(file("training/trainer.ts", registry))).toEqual([]);
  });

  test("refuse a folder that the table does not know", () => {
    expect(arrowsUp(file("utils/misc.ts", ""))).toEqual(["utils/misc.ts: src/utils has no place in the house"]);
  });

  test("refuse Node's modules and packages in browser code", () => {
    const source = `import { cpus } from "os"; import sharp from "sharp"; import * as z from "zod/mini";`;
    expect(nodeModulesInBrowserCode(file("data/images.ts", source))).toEqual([
      "data/images.ts imports os",
      "data/images.ts imports sharp",
    ]);
    expect(nodeModulesInBrowserCode(file("data/images.node.ts", source))).toEqual([]);
    expect(nodeModulesInBrowserCode(file("cli/train.ts", source))).toEqual([]);
  });

  test("let browser code load a *.node.ts file only where it is reached", () => {
    const source = (text: string) => file("backend/wasm/device.ts", text);
    expect(nodeFilesLoadedByBrowserCode(source(`import { threads } from "./platform.node.ts";`))).toHaveLength(1);
    expect(nodeFilesLoadedByBrowserCode(source(`await import("./platform.node.ts");`))).toEqual([]);
  });

  test("let other code load a *.browser.ts file only where it is reached", () => {
    const source = `import { openBackend } from "./open.browser.ts";`;
    expect(browserFilesLoadedElsewhere(file("backend/default.ts", source))).toHaveLength(1);
    expect(browserFilesLoadedElsewhere(file("backend/default.ts", `await import("./open.browser.ts");`))).toEqual([]);
    expect(browserFilesLoadedElsewhere(file("backend/host-entry.browser.ts", source))).toEqual([]);
  });
});
