import type { Graph } from "../tensor/graph.ts";
import type { Backend, ByteCache, Executable } from "./backend.ts";
import { checkGraph } from "./common/checks.ts";
import { compilerVersion } from "./common/kept/compiler-digest.node.ts";
import { INDEX, fileNameOf, packProgram, unpackProgram } from "./common/kept/prepared-programs.ts";
import type { ProgramIndex } from "./common/kept/prepared-programs.ts";
import { compileProgram, keepsOf } from "./wasm/program/compiled-program.ts";
import type { CodegenOptions } from "./wasm/program/compiled-program.ts";
import { encodeProgram, programKey } from "./wasm/program/program-file.ts";
import { createWasmBackend } from "./wasm/wasm-backend.node.ts";

/** A kind of browsers, or of pages in them. */
export interface PageKind {
  /** Whether the engine has relaxed SIMD. */
  readonly relaxedSimd: boolean;
  /** Whether threads may share memory, as in a page that is cross-origin isolated. */
  readonly sharedMemory: boolean;
}

export interface CompileAheadOptions {
  /** What kinds to compile for; all four unless given. */
  readonly pages?: readonly PageKind[] | undefined;
  /** `precision` of the pages' backends, `f32` unless given. */
  readonly precision?: "f32" | "strict" | undefined;
  /** Where programs are kept from build to build; nowhere unless given. */
  readonly cache?: ByteCache | undefined;
}

const allPages: readonly PageKind[] = [true, false].flatMap((relaxedSimd) =>
  [true, false].map((sharedMemory) => ({ relaxedSimd, sharedMemory })),
);

/**
 * Compiles for pages, while a site is built, all programs that some code runs: a page whose backend is told where these
 * files lie (`createBackend({ programs })`) compiles none of them, if its library is the same version.
 *
 * @param use does on a backend what the page will do: with the same models, shapes, samplers and batches, and as few steps as
 * it likes, as they all run the same program
 * @returns the files by name, for one folder of the site
 *
 * @example
 * const files = await compileAhead(async (backend) => {
 *   await diffusion.sample(model, { batchSize: 16, imageSize: 28, steps: 1, backend });
 * });
 * for (const [name, bytes] of files) await writeFile(join("dist", "programs", name), bytes);
 */
export async function compileAhead(
  use: (backend: Backend) => Promise<void>,
  { pages = allPages, precision = "f32", cache }: CompileAheadOptions = {},
): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const compiler = await compilerVersion();
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const own: ByteCache = {
    async read(key) {
      const file = files.get(fileNameOf(key));
      return file && unpackProgram(file);
    },
    write: async () => undefined,
  };
  const strict = precision === "strict";
  const compile = async (graph: Graph, options: CodegenOptions): Promise<void> => {
    const key = await programKey(graph, options);
    const name = fileNameOf(key);
    if (files.has(name)) return;
    const known = await cache?.read(`${compiler}-${name}`);
    const file = known ?? (await packProgram(encodeProgram(compileProgram(graph, options))));
    if (!known) await cache?.write(`${compiler}-${name}`, file);
    files.set(name, file);
  };
  // As pages are, so that it runs what was compiled for one kind of them.
  const device = await createWasmBackend({ strict, wide: false, cache: own });
  try {
    await use(
      watched(device, async (graph) => {
        checkGraph(graph);
        for (const { relaxedSimd, sharedMemory } of pages) {
          const features = { wide: false, relaxed: relaxedSimd };
          await compile(graph, { features, sharesMemory: sharedMemory, strict, keeps: keepsOf(graph) });
        }
      }),
    );
  } finally {
    await device.close();
  }
  const index: ProgramIndex = { compiler, programs: [...files.keys()] };
  return files.set(INDEX, new TextEncoder().encode(JSON.stringify(index)));
}

/** The same backend, which shows every graph that it is to run. */
function watched(device: Backend, show: (graph: Graph) => Promise<void>): Backend {
  const { name, description, precision } = device;
  return {
    name,
    description,
    precision,
    get isClosed() {
      return device.isClosed;
    },
    async load(graph): Promise<Executable> {
      await show(graph);
      return device.load(graph);
    },
    exchange: (variables, change) => device.exchange(variables, change),
    close: () => device.close(),
  };
}
