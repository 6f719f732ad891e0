import type { Precision } from "../../common/precision.ts";
import type { MatrixUnit } from "../emit/adapter.ts";
import { SUBGROUP_MATRIX } from "./device.ts";
import type { Device } from "./device.ts";
import type { Subgroups } from "./subgroup-size.ts";

/** What `GPUAdapterInfo.subgroupMatrixConfigs` lists of a device with the feature. */
export interface SubgroupMatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What a device offers; those without the feature know nothing of it. */
export function subgroupMatrixConfigs({ gpu, info }: Device): readonly SubgroupMatrixConfig[] {
  return gpu.features.has(SUBGROUP_MATRIX) ? subgroupMatrixConfigsOf(info) : [];
}

/** What an adapter lists, whether or not a device was asked for it. */
export function subgroupMatrixConfigsOf(info: GPUAdapterInfo): readonly SubgroupMatrixConfig[] {
  return "subgroupMatrixConfigs" in info ? (info.subgroupMatrixConfigs as readonly SubgroupMatrixConfig[]) : [];
}

/** The matrix unit that fits a precision; only those that add up in float32 do. */
export function chooseMatrixUnit(
  configs: readonly SubgroupMatrixConfig[],
  precision: Precision,
  subgroups: Subgroups | undefined,
): MatrixUnit | undefined {
  if (!subgroups) return undefined;
  const components = precision === "f16" ? (["f16", "f32"] as const) : (["f32"] as const);
  for (const component of components) {
    const config = configs.find(
      ({ componentType, resultComponentType, M, N, K }) =>
        componentType === component && resultComponentType === "f32" && [M, N, K].every((n) => 16 % n === 0),
    );
    if (!config) continue;
    const { size: subgroupSize, isPinned } = subgroups;
    return { component, rows: config.M, columns: config.N, inner: config.K, subgroupSize, isPinned };
  }
  return undefined;
}
