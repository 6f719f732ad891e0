import { WebGpuBackend } from "./webgpu-backend.ts";
import type { WebGpuOptions } from "./webgpu-backend.ts";

/** Dawn, once for the process: it crashes if this object is collected while one of its devices is in use. */
let dawn: GPU | undefined;

/**
 * The WebGPU backend on Node, by Dawn (the npm package "webgpu"). The process stays alive until it is closed.
 *
 * UNNOISE_DUMP=1 prints every program's WGSL to stderr.
 *
 * @throws Error of one line if the package or a GPU is missing
 */
export async function createWebGpuBackend(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
  dawn ??= await loadDawn();
  return WebGpuBackend.create({ gpu: dawn, environment: (name) => process.env[name] }, options);
}

/** Kernels write all workgroup memory before they read it; to clear it first takes time, and seconds to compile in SwiftShader. */
const DAWN_OPTIONS = ["enable-dawn-features=disable_workgroup_init"];

async function loadDawn(): Promise<GPU> {
  try {
    const { create } = await import("webgpu");
    return create(DAWN_OPTIONS);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (!isMissing) throw error;
    throw new Error('webgpu: the package "webgpu" is not installed: npm install webgpu', { cause: error });
  }
}
