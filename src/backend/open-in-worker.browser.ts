import type { Backend, BackendOptions } from "./backend.ts";
import { BrowserCache } from "./common/byte-cache.browser.ts";
import { requireSingle } from "./common/precision.ts";
import * as platform from "./wasm/runtime/platform.browser.ts";
import { WasmBackend } from "./wasm/wasm-backend.ts";
import { WebGpuBackend } from "./webgpu/webgpu-backend.ts";
import type { WebGpuOptions } from "./webgpu/webgpu-backend.ts";

/** What a page's worker does for createBackend. */
export async function openInWorker({
  device = "auto",
  precision = "f32",
  threads,
  tune,
}: BackendOptions): Promise<Backend> {
  let reason: string | undefined;
  if (device !== "wasm") {
    if (device === "webgpu") return openGpu({ precision, tune });
    try {
      return await openGpu({ precision, tune, allowSoftware: false });
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
  }
  requireSingle(precision, "wasm", reason);
  return WasmBackend.create(platform, { threads, reason });
}

async function openGpu(options: WebGpuOptions): Promise<Backend> {
  const { gpu } = navigator as { readonly gpu?: GPU };
  if (!gpu) throw new Error("webgpu: this browser has none, or not for a page that comes without https");
  const platform = { gpu, clearsWorkgroupMemory: true, environment: () => undefined };
  return WebGpuBackend.create(platform, { ...options, tileCache: new BrowserCache("unnoise-tiles") });
}
