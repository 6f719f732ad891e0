import type { Backend, BackendOptions } from "./backend.ts";
import { requireSingle } from "./common/precision.ts";

/** What createBackend does in Node. */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { device = "auto", precision = "f32", threads, cache, tune, tileCache, log } = options;
  let reason: string | undefined;
  if (device !== "wasm") {
    const { createWebGpuBackend } = await import("./webgpu/webgpu-backend.node.ts");
    const wanted = { precision, tune, tileCache, log };
    if (device === "webgpu") return createWebGpuBackend(wanted);
    try {
      return await createWebGpuBackend({ ...wanted, allowSoftware: false });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  requireSingle(precision, "wasm", reason);
  const { createWasmBackend } = await import("./wasm/wasm-backend.node.ts");
  return createWasmBackend({ threads, reason, cache });
}
