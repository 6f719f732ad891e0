import type { Features } from "../program/module.ts";

/** The part of wabt that is used; it comes without types. */
interface Wabt {
  parseWat(
    name: string,
    text: string,
    features: Record<string, boolean>,
  ): {
    toBinary(options: Record<string, boolean>): { readonly buffer: Uint8Array<ArrayBuffer> };
    destroy(): void;
  };
}

/** WebAssembly text to a binary. */
export type Assemble = (text: string, features: Features) => Promise<Uint8Array<ArrayBuffer>>;

let loading: Promise<Wabt> | undefined;

type Create = () => Promise<Wabt>;

async function loadWabt(): Promise<Wabt> {
  const loaded = (await import("wabt")) as unknown as { default?: Create | { default: Create } };
  // A CommonJS module: some loaders wrap its export once more; where it had none to give, it is a global.
  const exported = loaded.default ?? (globalThis as { WabtModule?: Create }).WabtModule;
  if (exported === undefined) throw new Error("wasm: the package wabt was loaded, but its export is nowhere");
  return typeof exported === "function" ? exported() : exported.default();
}

export const assemble: Assemble = async (text, { relaxed }) => {
  loading ??= loadWabt();
  const wabt = await loading;
  const parsed = parse(wabt, text, relaxed);
  try {
    return parsed.toBinary({}).buffer;
  } finally {
    parsed.destroy();
  }
};

function parse(wabt: Wabt, text: string, relaxed: boolean): ReturnType<Wabt["parseWat"]> {
  try {
    return wabt.parseWat("program.wat", text, { simd: true, threads: true, bulk_memory: true, relaxed_simd: relaxed });
  } catch (error) {
    loading = undefined; // after a failure its memory cannot be trusted
    throw new Error(`internal: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
