import type { Backend } from "../backend/backend.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { linearBetaSchedule } from "../diffusion/process/schedules.ts";
import type { WeightStandardization } from "../nn/conv2d.ts";
import type { Unet } from "../models/unet/unet.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { images } from "./check.ts";
import type { ParityCheck } from "./check.ts";
import { nchwToNhwc } from "./layout.ts";
import type { ParityCase } from "./parity-case.ts";

const STEPS = 10;

/** Ten steps of Algorithm 2 from x_T, t = 9, ..., 0, with recorded noise. */
export async function checkSample(
  parityCase: ParityCase,
  variant: WeightStandardization,
  backend: Backend,
  timesteps: number,
  tolerance: number,
): Promise<ParityCheck> {
  const model = await parityCase.model(variant);
  const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(timesteps), clipDenoised: false });
  const expected = parityCase.images(`${variant}.sample${STEPS}`);
  const sample = await sampleWith(diffusion, model, parityCase.images("x_T"), recordedNoise(parityCase), backend);
  diffusion.dispose();
  return images(`sample of ${STEPS} steps`, sample, expected, tolerance);
}

async function sampleWith(
  diffusion: GaussianDiffusion,
  model: Unet,
  start: NdArray,
  noises: readonly NdArray[],
  backend: Backend,
): Promise<NdArray> {
  let x = start;
  for (const [k, noise] of noises.entries()) {
    x = await diffusion.pSample(model, x, STEPS - 1 - k, { noise, backend });
  }
  return x;
}

/** The noise of each step. */
function recordedNoise(parityCase: ParityCase): NdArray[] {
  const { shape, data } = parityCase.tensor("sampling_noise");
  const size = data.length / shape[0];
  return Array.from({ length: STEPS }, (_, k) => {
    return nchwToNhwc({ shape: shape.slice(1), dtype: "f32", data: data.slice(k * size, (k + 1) * size) });
  });
}
