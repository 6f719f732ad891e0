import * as platform from "./runtime/platform.node.ts";
import { WasmBackend } from "./wasm-backend.ts";
import type { WasmOptions } from "./wasm-backend.ts";

/**
 * The wasm backend on Node's worker threads.
 *
 * UNNOISE_THREADS sets the number of threads, UNNOISE_SIMD=128 keeps V8 from merging vector operations, and
 * UNNOISE_DUMP=1 prints every program to stderr, in WebAssembly's text format.
 */
export function createWasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  return WasmBackend.create(platform, options);
}
