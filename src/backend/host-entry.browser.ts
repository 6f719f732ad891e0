import type { Backend, BackendOptions } from "./backend.ts";
import { hostBackend } from "./remote/backend-host.ts";
import * as platform from "./wasm/platform.browser.ts";
import { WasmBackend } from "./wasm/wasm-backend.ts";
import { WebGpuBackend } from "./webgpu/webgpu-backend.ts";

async function open({ device = "auto", threads }: BackendOptions): Promise<Backend> {
  if (device === "webgpu") return openGpu({ allowSoftware: true });
  if (device === "wasm") return WasmBackend.create(platform, { threads });
  try {
    return await openGpu({ allowSoftware: false });
  } catch (error) {
    return WasmBackend.create(platform, { threads, reason: error instanceof Error ? error.message : String(error) });
  }
}

async function openGpu(options: { readonly allowSoftware: boolean }): Promise<Backend> {
  const { gpu } = navigator as { readonly gpu?: GPU };
  if (!gpu) throw new Error("webgpu: this browser has none, or not for a page that comes without https");
  return WebGpuBackend.create({ gpu, clearsWorkgroupMemory: true, environment: () => undefined }, options);
}

hostBackend(self, open);
