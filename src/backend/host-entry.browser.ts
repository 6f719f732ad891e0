import type { Backend, BackendOptions } from "./backend.ts";
import { hostBackend } from "./remote/backend-host.ts";
import * as platform from "./wasm/platform.browser.ts";
import { WasmBackend } from "./wasm/wasm-backend.ts";
import { WebGpuBackend } from "./webgpu/webgpu-backend.ts";

async function open({ device = "auto", threads }: BackendOptions): Promise<Backend> {
  if (device === "webgpu") return openGpu({ allowSoftware: true });
  // A GPU in software is slower than WebAssembly.
  const gpu = device === "auto" ? await openGpu({ allowSoftware: false }).catch(() => undefined) : undefined;
  return gpu ?? WasmBackend.create(platform, { threads });
}

async function openGpu(options: { readonly allowSoftware: boolean }): Promise<Backend> {
  const { gpu } = navigator as { readonly gpu?: GPU };
  if (!gpu) throw new Error("webgpu: this browser has none, or not for a page that comes without https");
  return WebGpuBackend.create({ gpu, environment: () => undefined }, options);
}

hostBackend(self, open);
