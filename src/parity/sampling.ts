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

/**
 * Ten steps of Algorithm 2 from x_T, t = 9, ..., 0, with recorded noise: `<variant>.sampling_noise` where a file has
 * it, else the `sampling_noise` of all variants.
 */
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
  const noises = recordedNoise(parityCase, variant);
  const sample = await sampleWith(diffusion, model, parityCase.images("x_T"), noises, backend);
  const check = images(`sample of ${STEPS} steps`, sample, expected, tolerance);
  if (check.pass) return check;

  const zeros = noises.map(({ shape, dtype, data }) => ({ shape, dtype, data: new Float32Array(data.length) }));
  const withoutNoise = await sampleWith(diffusion, model, parityCase.images("x_T"), zeros, backend);
  diffusion.dispose();
  const sigmas = noises.map((_, k) => diffusion.schedule.sqrtPosteriorVariance[STEPS - 1 - k]);
  if (!wasDrawnWithOtherNoise(expected, withoutNoise, noises, sigmas)) return check;
  return { ...check, fault: "the recorded sample was drawn with other noise than the recorded one" };
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
function recordedNoise(parityCase: ParityCase, variant: WeightStandardization): NdArray[] {
  const own = `${variant}.sampling_noise`;
  const { shape, data } = parityCase.tensor(parityCase.has(own) ? own : "sampling_noise");
  const size = data.length / shape[0];
  return Array.from({ length: STEPS }, (_, k) => {
    return nchwToNhwc({ shape: shape.slice(1), dtype: "f32", data: data.slice(k * size, (k + 1) * size) });
  });
}

/**
 * True where the expected sample lies as far from one without noise as noise takes it, but in directions that have
 * nothing to do with the recorded noise. Then no sampler can agree with the file, and the network in it is as expected.
 */
function wasDrawnWithOtherNoise(
  expected: NdArray,
  withoutNoise: NdArray,
  noises: readonly NdArray[],
  sigmas: readonly number[],
): boolean {
  const difference = Float64Array.from(expected.data, (value, i) => value - withoutNoise.data[i]);
  const spread = Math.sqrt(dot(difference, difference) / difference.length);
  const drawn = Math.hypot(...sigmas);
  // About four standard errors of a correlation between independent numbers.
  const chance = 4 / Math.sqrt(difference.length);
  const correlations = noises.map(({ data }) => dot(difference, data) / Math.sqrt(dot(data, data)) / spread);
  const isUnrelated = correlations.every((c) => Math.abs(c) / Math.sqrt(difference.length) < chance);
  return isUnrelated && Math.abs(spread / drawn - 1) < 0.1;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
