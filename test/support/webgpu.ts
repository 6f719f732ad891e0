import { existsSync } from "node:fs";
import { createWebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.node.ts";

/** A Vulkan driver in software that comes with Debian's Chromium. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Why there is no WebGPU here; undefined where there is. Without another driver SwiftShader is used. */
export async function whyNoWebGpu(): Promise<string | undefined> {
  if (process.env["VK_ICD_FILENAMES"] === undefined && existsSync(SWIFTSHADER))
    process.env["VK_ICD_FILENAMES"] = SWIFTSHADER;
  try {
    const backend = await createWebGpuBackend();
    await backend.close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
