import type { Backend, BackendOptions } from "./backend.ts";
import { chooseDevice } from "./common/choose-device.ts";
import { BrowserCache } from "./common/kept/browser-cache.browser.ts";
import { pagePrograms } from "./common/kept/page-programs.browser.ts";
import { precisionOf } from "./common/precision.ts";
import * as platform from "./wasm/runtime/platform.browser.ts";
import { WasmBackend } from "./wasm/wasm-backend.ts";
import { WebGpuBackend } from "./webgpu/webgpu-backend.ts";

/** What a page's worker does for createBackend. */
export function openInWorker(options: BackendOptions): Promise<Backend> {
  const { precision, threads, tune, programs } = options;
  return chooseDevice(options, {
    async openGpu(allowSoftware) {
      const { gpu } = navigator as { readonly gpu?: GPU };
      if (!gpu) throw new Error("webgpu: this browser has none, or not for a page that comes without https");
      const page = { gpu, clearsWorkgroupMemory: true, environment: () => undefined };
      const tileCache = new BrowserCache("unnoise-tiles", 2 ** 20);
      return WebGpuBackend.create(page, { precision: precisionOf(precision), tune, tileCache, allowSoftware });
    },
    openWasm: (reason) => {
      const cache = pagePrograms(programs?.toString());
      return WasmBackend.create(platform, { threads, strict: precision === "strict", reason, cache });
    },
  });
}
