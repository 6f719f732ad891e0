import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import type { Compiled } from "../backend/compile.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { RandomStream } from "../tensor/random.ts";
import { formatShape, sameShape, sizeOf } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Denoiser } from "./denoiser.ts";
import type { DiffusionProcess } from "./process.ts";
import type { Sampler } from "./samplers/sampler.ts";

export interface SamplingProgress {
  /** Steps done, from 1 to `steps`. */
  readonly step: number;
  readonly steps: number;
  /** The timestep at which the network was asked. */
  readonly timestep: number;
  /** The images after this step, [batch, height, width, channels]. */
  readonly images: NdArray;
  /** The clean images that the network sees in them: a preview. */
  readonly xStart: NdArray;
}

export interface SamplingOptions {
  /** Default 16. */
  readonly batchSize?: number;
  /** One side of square images, or [height, width], in pixels. */
  readonly imageSize: number | readonly [number, number];
  /** A whole number below 2^32; without one, other images each time. Image i does not depend on the batch size. */
  readonly seed?: number;
  /** Where to compute; without one, on the default backend. */
  readonly backend?: Backend;
  /** Images to start from instead of noise, [batchSize, height, width, channels]. */
  readonly start?: NdArray;
  /** Which images to return beside the last: 0 is the noise at the start, k those after k steps. */
  readonly returnSteps?: "all" | readonly number[];
  /** Called after each step; the next one waits for it. */
  readonly onStep?: (progress: SamplingProgress) => void | Promise<void>;
  /** Stops between two steps by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The images [batch, height, width, channels], and what was asked for of those before them. */
export interface Samples extends NdArray {
  readonly steps: readonly { readonly step: number; readonly images: NdArray }[];
}

/** One step as a program: (x, t, index, noise or seed[, self-condition]) -> (x, xStart). */
export type StepProgram = Compiled<"x" | "xStart">;

/**
 * Compiles network and update into one program. Its fourth input is either the noise itself, or a u32 scalar from
 * which, together with t, the program draws the noise. No number that changes between steps is part of the program.
 */
export function stepProgram(
  backend: Backend,
  process: DiffusionProcess,
  model: Denoiser,
  step: Sampler["step"],
): StepProgram {
  return compile(backend, (x, t, index, noiseOrSeed, selfCondition?: Tensor) => {
    const isSeed = noiseOrSeed.rank === 0;
    const noise = isSeed ? new RandomStream([noiseOrSeed, t.convert("u32")]).normal(x.shape) : noiseOrSeed;
    const predict = (x: Tensor, t: Tensor) => process.modelPredictions(model, x, t, selfCondition);
    const next = step({ x, t, index, noise, predict });
    return { outputs: { x: next.x, xStart: next.xStart } };
  });
}

/** Walks a sampler from noise to images; every sampler shares this loop. */
export async function runSampler(
  program: StepProgram,
  sampler: Sampler,
  process: DiffusionProcess,
  model: Denoiser,
  backend: Backend,
  options: SamplingOptions,
): Promise<Samples> {
  const shape = imagesShape(options, model.channels);
  const seed = ndarray([checkedSeed(options.seed)], [], "u32");
  const steps = sampler.timesteps.length;
  const wanted = wantedSteps(options.returnSteps, steps);
  const kept: { step: number; images: NdArray }[] = [];

  options.signal?.throwIfAborted();
  let x = options.start ? checkedStart(options.start, shape) : await drawNoise(backend, shape, seed, process.timesteps);
  let xStart: NdArray = ndarray(new Float32Array(sizeOf(shape)), shape);
  if (wanted.has(0)) kept.push({ step: 0, images: x });

  for (const [index, timestep] of sampler.timesteps.entries()) {
    options.signal?.throwIfAborted();
    const known = model.selfCondition ? [xStart] : [];
    ({ x, xStart } = await program(x, integer(timestep), integer(index), seed, ...known));
    const step = index + 1;
    if (wanted.has(step)) kept.push({ step, images: x });
    await options.onStep?.({ step, steps, timestep, images: x, xStart });
  }
  return { ...x, steps: kept };
}

export function integer(value: number): NdArray {
  return ndarray([value], [], "i32");
}

/** @throws unless the seed is a whole number below 2^32; without a seed, draws one */
export function checkedSeed(seed: number = Math.floor(Math.random() * 2 ** 32)): number {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed;
  throw new Error(`seed: must be a whole number from 0 to ${2 ** 32 - 1}, got ${seed}`);
}

function imagesShape({ batchSize = 16, imageSize }: SamplingOptions, channels: number): Shape {
  const [height, width] = typeof imageSize === "number" ? [imageSize, imageSize] : imageSize;
  for (const [name, value] of Object.entries({ batchSize, height, width })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new Error(`sample: ${name} must be a whole number of at least 1, got ${value}`);
  }
  return [batchSize, height, width, channels];
}

function checkedStart(start: NdArray, shape: Shape): NdArray {
  if (sameShape(start.shape, shape) && start.dtype === "f32") return start;
  throw new Error(`sample: start must be f32 ${formatShape(shape)}, got ${start.dtype} ${formatShape(start.shape)}`);
}

function wantedSteps(returnSteps: SamplingOptions["returnSteps"] = [], steps: number): ReadonlySet<number> {
  if (returnSteps === "all") return new Set(Array.from({ length: steps + 1 }, (_, step) => step));
  for (const step of returnSteps) {
    if (Number.isInteger(step) && step >= 0 && step <= steps) continue;
    throw new Error(`sample: returnSteps must be whole numbers from 0 to ${steps}, got ${step}`);
  }
  return new Set(returnSteps);
}

/** Standard normal numbers, the same ones on every call; timesteps draw with numbers below `counter`. */
async function drawNoise(backend: Backend, shape: Shape, seed: NdArray, counter: number): Promise<NdArray> {
  const draw = compile(backend, (seed, counter) => ({
    outputs: { noise: new RandomStream([seed, counter]).normal(shape) },
  }));
  const { noise } = await draw(seed, ndarray([counter], [], "u32"));
  draw.dispose();
  return noise;
}
