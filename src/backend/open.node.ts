import type { Backend, BackendOptions } from "./backend.ts";
import { chooseDevice } from "./common/choose-device.ts";
import { precisionOf } from "./common/precision.ts";

/** What createBackend does in Node. */
export function openBackend(options: BackendOptions): Promise<Backend> {
  const { precision, threads, cache, tune, tileCache, log } = options;
  return chooseDevice(options, {
    async openGpu(allowSoftware) {
      const { createWebGpuBackend } = await import("./webgpu/webgpu-backend.node.ts");
      return createWebGpuBackend({ precision: precisionOf(precision), tune, tileCache, log, allowSoftware });
    },
    async openWasm(reason) {
      const { createWasmBackend } = await import("./wasm/wasm-backend.node.ts");
      return createWasmBackend({ threads, strict: precision === "strict", reason, cache });
    },
  });
}
