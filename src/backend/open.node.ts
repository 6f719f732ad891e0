import type { Backend, BackendOptions } from "./backend.ts";
import { requireSingle } from "./precision.ts";

/** What createBackend does in Node. */
export async function openBackend({
  device = "auto",
  precision = "f32",
  threads,
  cache,
}: BackendOptions): Promise<Backend> {
  let reason: string | undefined;
  if (device !== "wasm") {
    const { createWebGpuBackend } = await import("./webgpu/webgpu-backend.node.ts");
    if (device === "webgpu") return createWebGpuBackend({ precision });
    try {
      return await createWebGpuBackend({ precision, allowSoftware: false });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  requireSingle(precision, "wasm", reason);
  const { createWasmBackend } = await import("./wasm/wasm-backend.node.ts");
  return createWasmBackend({ threads, reason, cache });
}
