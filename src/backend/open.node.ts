import type { Backend, BackendOptions } from "./backend.ts";

/** What createBackend does in Node. */
export async function openBackend({ device = "auto", threads, cache }: BackendOptions): Promise<Backend> {
  let reason: string | undefined;
  if (device !== "wasm") {
    const { createWebGpuBackend } = await import("./webgpu/webgpu-backend.node.ts");
    if (device === "webgpu") return createWebGpuBackend();
    try {
      return await createWebGpuBackend({ allowSoftware: false });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  const { createWasmBackend } = await import("./wasm/wasm-backend.node.ts");
  return createWasmBackend({ threads, reason, cache });
}
