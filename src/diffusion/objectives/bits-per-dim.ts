import type { Backend } from "../../backend/backend.ts";
import { compile } from "../../backend/compile.ts";
import type { Compiled } from "../../backend/compile.ts";
import { defaultBackend } from "../../backend/default.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { formatShape } from "../../tensor/shape.ts";
import { refuseLowres } from "../sampling/cascade.ts";
import { checkFinite } from "../process/checks.ts";
import { conditioningOf, conditionTypes } from "../sampling/conditioning.ts";
import type { GivenConditions } from "../sampling/conditioning.ts";
import type { Denoiser } from "../denoiser.ts";
import type { DiffusionProcess } from "../diffusion-process.ts";
import { checkedImageSeed, keyedNoise, noiseKey } from "../sampling/noise.ts";
import { boundTerm } from "./variational-bound.ts";
import { checkOptions } from "../../config/rules.ts";
import { checkDenoiser } from "../denoiser.ts";

export interface BitsPerDimOptions extends GivenConditions {
  /** Images that go through the network at a time; default 64. */
  readonly batchSize?: number;
  /** Of the noise, a whole number below 2^32; without one, other noise each time. */
  readonly seed?: number;
  /** Where to compute; without one, on the default backend. */
  readonly backend?: Backend;
  /** Called after each evaluation of the network; the next one waits for it. */
  readonly onStep?: (progress: { readonly step: number; readonly steps: number }) => void | Promise<void>;
  /** Stops between two steps by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface BitsPerDim {
  /** The bound of each image: the sum of its terms. */
  readonly total: Float64Array;
  /** L_T of each image: how far its noisiest version is from the noise that sampling starts with. */
  readonly prior: Float64Array;
  /** L_t of each timestep, the mean over the images; that of t = 0 is the likelihood of the bytes. */
  readonly terms: Float64Array;
}

/**
 * The variational bound on the negative log-likelihood of images, equations 4 to 7 of Nichol & Dhariwal (2021,
 * 2102.09672), with one draw of noise for every timestep. Predictions of the clean images are clipped to [-1, 1]; a model
 * with self-condition gets none.
 *
 * @param images bytes scaled to [-1, 1], f32 [images, height, width, channels]
 * @returns bits per dimension; what a lossless compressor would need for each value
 */
export async function bitsPerDim(
  diffusion: DiffusionProcess,
  model: Denoiser,
  images: NdArray,
  options: BitsPerDimOptions = {},
): Promise<BitsPerDim> {
  checkDenoiser("bitsPerDim", model);
  checkOptions("bitsPerDim", options, {
    ...conditionTypes,
    batchSize: "number",
    seed: "number",
    backend: "object",
    onStep: "function",
    signal: "object",
  });
  const [count, ...shape] = images.shape;
  const { batchSize = 64, onStep, signal } = options;
  checkArguments(images, model, batchSize);
  refuseLowres("bitsPerDim", model);
  const { seed } = checkedImageSeed(options, count);
  const { timesteps } = diffusion;
  const steps = timesteps * Math.ceil(count / batchSize);
  const prior = priorTerms(diffusion, images);
  const total = prior.slice();
  const terms = new Float64Array(timesteps);
  const conditions = Object.entries(conditioningOf(model, images.shape, options).conditions);
  const termOf = termProgram(diffusion, model, options.backend ?? (await defaultBackend()));
  let step = 0;
  try {
    for (let first = 0; first < count; first += batchSize) {
      const size = Math.min(batchSize, count - first);
      const batch = ndarray(slice(images, first, size), [size, ...shape]);
      const told = Object.fromEntries(conditions.map(([name, value]) => [name, rows(value, first, size)]));
      for (let t = timesteps - 1; t >= 0; t--) {
        signal?.throwIfAborted();
        const key = noiseKey({ seed, firstIndex: first }, t);
        const { term, magnitude } = await termOf({
          xStart: batch,
          t: ndarray([t], [], "i32"),
          key,
          ...told,
        });
        for (const [i, value] of term.data.entries()) {
          // The network's answers by themselves too, for clipping may hide what is no number.
          if (!Number.isFinite(value + magnitude.data[i])) {
            throw new Error(
              `bitsPerDim: the model's output must be finite numbers, got others for image ${first + i} at timestep ${t}`,
            );
          }
          total[first + i] += value;
          terms[t] += value / count;
        }
        await onStep?.({ step: ++step, steps });
      }
    }
  } finally {
    termOf.dispose();
  }
  return { total, prior, terms };
}

/** L_t of a batch of images at a timestep; the noise of an image follows from its place among all. */
function termProgram(diffusion: DiffusionProcess, model: Denoiser, backend: Backend): Compiled<"term" | "magnitude"> {
  return compile(backend, ({ xStart, t, key, ...conditions }) => {
    const x = diffusion.qSample(xStart, t, keyedNoise(key, xStart.shape));
    const output = diffusion.modelOutput(model, x, t, conditions);
    const step = diffusion.reverseStep(output, x, t, { clipDenoised: true });
    const magnitude = output.prediction.abs().mean([1, 2, 3]);
    return { outputs: { term: boundTerm(diffusion, xStart, x, t, step), magnitude } };
  });
}

/** KL(q(x_T | x_0) || N(0, 1)) of each image. */
function priorTerms({ schedule, timesteps }: DiffusionProcess, images: NdArray): Float64Array {
  const count = images.shape[0];
  const abar = schedule.alphasCumprod[timesteps - 1];
  return Float64Array.from({ length: count }, (_, i) => {
    const values = slice(images, i, 1);
    const square = values.reduce((sum, x) => sum + x * x, 0) / values.length;
    return (abar * square - abar - Math.log1p(-abar)) / (2 * Math.LN2);
  });
}

function slice({ data, shape: [count] }: NdArray, first: number, size: number): Float32Array<ArrayBuffer> {
  const length = data.length / count;
  return Float32Array.from(data.subarray(first * length, (first + size) * length));
}

/** Those of a condition that belong to these images. */
function rows({ data, shape: [count, ...item], dtype }: NdArray, first: number, size: number): NdArray {
  const length = data.length / count;
  return ndarray(data.slice(first * length, (first + size) * length), [size, ...item], dtype);
}

function checkArguments(images: NdArray, { channels }: Denoiser, batchSize: number): void {
  const { shape, dtype } = images;
  if (shape.length !== 4 || shape[0] === 0 || shape[3] !== channels || dtype !== "f32") {
    const required = `f32 [images, height, width, ${channels}]`;
    throw new Error(`bitsPerDim: images must be ${required}, got ${dtype} ${formatShape(shape)}`);
  }
  checkFinite("bitsPerDim: images", images);
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new Error(`bitsPerDim: batchSize must be a whole number of at least 1, got ${batchSize}`);
  }
}
