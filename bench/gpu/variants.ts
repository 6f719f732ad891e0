import { create } from "webgpu";
import { DAWN_OPTIONS } from "../../src/backend/webgpu/webgpu-backend.node.ts";
import type { Precision } from "../../src/backend/common/precision.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/webgpu-backend.ts";

/** A way to compute the same. */
export interface Variant {
  readonly name: string;
  readonly precision: Precision;
  readonly matrixUnits?: boolean;
  readonly tune?: boolean;
  /** Of Dawn, besides ours. */
  readonly toggles?: readonly string[];
}

export const variants: readonly Variant[] = [
  { name: "f32", precision: "f32" },
  { name: "f16", precision: "f16" },
  { name: "f16 without matrix units", precision: "f16", matrixUnits: false },
];

/** What may be worth it: tiles by measurement, and no check of indices by the driver. */
export const experiments: readonly Variant[] = [
  { name: "f32, tuned", precision: "f32", tune: true },
  { name: "f32, disable_robustness", precision: "f32", toggles: ["enable-dawn-features=disable_robustness"] },
];

/** Dawn crashes if one of these is collected while one of its devices is in use. */
const instances = new Map<string, GPU>();

/** Opens a device for as long as `use` takes. */
export async function withVariant<T>(
  { precision, matrixUnits = true, tune, toggles = [] }: Variant,
  use: (backend: WebGpuBackend) => Promise<T>,
): Promise<T> {
  const key = toggles.join();
  const gpu = instances.get(key) ?? create([...DAWN_OPTIONS, ...toggles]);
  instances.set(key, gpu);
  const environment = (name: string): string | undefined =>
    name === "UNNOISE_SUBGROUP_MATRIX" && !matrixUnits ? "0" : process.env[name];
  const backend = await WebGpuBackend.create({ gpu, clearsWorkgroupMemory: false, environment }, { precision, tune });
  try {
    return await use(backend);
  } finally {
    await backend.close();
  }
}
