import { readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { WebGpuBackend } from "./webgpu-backend.ts";
import type { WebGpuOptions } from "./webgpu-backend.ts";

export const DAWN_OPTIONS: readonly string[] = [
  // Kernels write all workgroup memory before they read it: to clear it first takes time, and a software driver seconds
  // to compile.
  // Matrix units are an experiment that Dawn offers only so, and those of NVIDIA's that multiply halves only with both.
  "enable-dawn-features=disable_workgroup_init,allow_unsafe_apis,vulkan_enable_f16_on_nvidia",
  // Timestamps in steps of 100 microseconds would tell nothing of most kernels.
  "disable-dawn-features=timestamp_quantization",
];

/** Dawn, once for the process: it crashes if this object is collected while one of its devices is in use. */
let dawn: GPU | undefined;

/**
 * The WebGPU backend on Node, by Dawn (the npm package "webgpu").
 *
 * UNNOISE_DUMP=1 prints every program's WGSL to stderr; UNNOISE_SUBGROUP_MATRIX=0 does without matrix units.
 *
 * @throws Error of one line if the package or a GPU is missing
 */
export async function createWebGpuBackend(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  // Dawn would complain on stderr by itself.
  if (process.platform === "linux" && !hasVulkanDriver())
    throw new Error("webgpu: no GPU to be found: no driver for Vulkan is installed");
  dawn ??= await loadDawn();
  const environment = (name: string): string | undefined => process.env[name];
  return WebGpuBackend.create({ gpu: dawn, clearsWorkgroupMemory: false, environment }, options);
}

async function loadDawn(): Promise<GPU> {
  try {
    const { create } = await import("webgpu");
    return create([...DAWN_OPTIONS]);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw error;
    throw new Error('webgpu: the package "webgpu" is not installed: npm install webgpu', { cause: error });
  }
}

/** Whether the Vulkan loader has a driver to find, in any of the places where it looks for one. */
function hasVulkanDriver(): boolean {
  const { env } = process;
  if ([env["VK_ICD_FILENAMES"], env["VK_DRIVER_FILES"], env["VK_ADD_DRIVER_FILES"]].some(Boolean)) return true;
  const home = homedir();
  const directories = [
    env["XDG_CONFIG_HOME"] ?? join(home, ".config"),
    ...(env["XDG_CONFIG_DIRS"] ?? "/etc/xdg").split(":"),
    "/etc",
    "/usr/local/etc",
    env["XDG_DATA_HOME"] ?? join(home, ".local/share"),
    ...(env["XDG_DATA_DIRS"] ?? "/usr/local/share:/usr/share").split(":"),
    "/run/opengl-driver/share",
  ];
  return directories.some((directory) => {
    try {
      return readdirSync(join(directory, "vulkan/icd.d")).some((name) => name.endsWith(".json"));
    } catch {
      return false;
    }
  });
}
