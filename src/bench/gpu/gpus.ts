import { RADEON_680M } from "../../backend/webgpu/program/time-model.ts";
import type { GpuFigures } from "../../backend/webgpu/program/time-model.ts";

export type GpuName = "H100" | "M2" | "Radeon 680M";

/** GPUs that the model of time is asked about, by what their makers say of them. */
export const gpus: Readonly<Record<GpuName, GpuFigures>> = {
  // NVIDIA H100 SXM5
  H100: {
    cores: 132,
    flops: 67e12,
    unitFlops: 989e12,
    bandwidth: 2.9e12,
    clock: 1.75e9,
    latency: 600,
    gap: 3e-6,
  },
  // Apple M2 with 10 cores
  M2: { cores: 10, flops: 3.6e12, bandwidth: 85e9, clock: 1.4e9, latency: 500, gap: 5e-6 },
  "Radeon 680M": RADEON_680M,
};
