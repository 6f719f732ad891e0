/** The part of the package wabt that tests use; it comes without types. */
interface Wabt {
  parseWat(name: string, text: string, features: Features): WabtModule;
  readWasm(binary: Uint8Array, options: Features & { readonly readDebugNames: boolean }): WabtModule;
}

interface WabtModule {
  toBinary(options: object): { readonly buffer: Uint8Array<ArrayBuffer> };
  toText(options: { readonly foldExprs: boolean; readonly inlineExport: boolean }): string;
  destroy(): void;
}

type Features = Readonly<Record<"simd" | "threads" | "bulk_memory" | "relaxed_simd", boolean>>;

const features: Features = { simd: true, threads: true, bulk_memory: true, relaxed_simd: true };

async function loadWabt(): Promise<Wabt> {
  const { default: create } = (await import("wabt")) as unknown as { default: () => Promise<Wabt> };
  return create();
}

const wabt = loadWabt();

/** WebAssembly's text format as a binary, by other software than ours. */
export async function assemble(text: string): Promise<Uint8Array> {
  const module = (await wabt).parseWat("module.wat", text, features);
  try {
    return module.toBinary({}).buffer.slice();
  } finally {
    module.destroy();
  }
}

/** A binary as text, read by other software than ours. */
export async function disassemble(binary: Uint8Array): Promise<string> {
  const module = (await wabt).readWasm(binary, { ...features, readDebugNames: true });
  try {
    return module.toText({ foldExprs: true, inlineExport: false });
  } finally {
    module.destroy();
  }
}
