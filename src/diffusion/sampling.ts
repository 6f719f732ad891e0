import type { Backend } from "../backend/backend.ts";
import { compile } from "../backend/compile.ts";
import { ndarray } from "../tensor/ndarray.ts";
import type { NdArray } from "../tensor/ndarray.ts";
import { RandomStream } from "../tensor/random.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Conditioning, ConditioningOptions } from "./conditioning.ts";
import type { SamplingPlan } from "./samplers/plan.ts";
import type { StepProgram } from "./step-program.ts";

/** The random counter of the noise at the start; steps have those from 0. */
const START = 2 ** 32 - 1;

export interface SamplingProgress {
  /** Evaluations of the network done, from 1 to `steps`. */
  readonly step: number;
  readonly steps: number;
  /** The timestep at which the network was asked; between two for noise levels between theirs. */
  readonly timestep: number;
  /** The images after this step, [batch, height, width, channels]. */
  readonly images: NdArray;
  /** The clean images that the network sees in them: a preview. */
  readonly xStart: NdArray;
}

export interface SamplingOptions extends ConditioningOptions {
  /** Default 16, or as many as there are classes. */
  readonly batchSize?: number;
  /** One side of square images, or [height, width], in pixels. */
  readonly imageSize: number | readonly [number, number];
  /** A whole number below 2^32; without one, other images each time. Image i does not depend on the batch size. */
  readonly seed?: number;
  /** Where to compute; without one, on the default backend. */
  readonly backend?: Backend;
  /** Images of the first noise level to start from instead of noise, [batchSize, height, width, channels]. */
  readonly start?: NdArray;
  /** Which images to return beside the last: 0 is the noise at the start, k those after k evaluations. */
  readonly returnSteps?: "all" | readonly number[];
  /** Called after each evaluation of the network; the next one waits for it. */
  readonly onStep?: (progress: SamplingProgress) => void | Promise<void>;
  /** Stops between two steps by throwing the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The images [batch, height, width, channels], and what was asked for of those before them. */
export interface Samples extends NdArray {
  readonly steps: readonly { readonly step: number; readonly images: NdArray }[];
}

/** Walks a plan from noise to images; every sampler shares this loop. */
export async function runPlan(
  program: StepProgram,
  plan: SamplingPlan,
  conditioning: Conditioning,
  options: SamplingOptions,
): Promise<Samples> {
  const { backend, shape } = program.layout;
  const seed = checkedSeed(options.seed);
  const steps = plan.steps.length;
  const wanted = wantedSteps(options.returnSteps, steps);
  const kept: { step: number; images: NdArray }[] = [];

  options.signal?.throwIfAborted();
  if (options.start) checkImages("sample: start", options.start, shape);
  const start = options.start ?? (await drawNoise(backend, shape, seed));
  await program.begin({ x: start, ...conditioning });
  if (wanted.has(0)) kept.push({ step: 0, images: start });

  for (const [index, next] of plan.steps.entries()) {
    options.signal?.throwIfAborted();
    await program.step(next, noiseKey(seed, index));
    const step = index + 1;
    if (wanted.has(step)) kept.push({ step, images: await program.images() });
    if (!options.onStep) continue;
    const [images, xStart] = [await program.images(), await program.xStart()];
    await options.onStep({ step, steps, timestep: next.level.timestep, images, xStart });
  }
  return { ...(await program.images()), steps: kept };
}

/** What the noise of a step follows from. */
export function noiseKey(seed: number, step: number): NdArray {
  return ndarray([seed, step], [2], "u32");
}

/** @throws unless the seed is a whole number below 2^32; without a seed, draws one */
export function checkedSeed(seed: number = Math.floor(Math.random() * 2 ** 32)): number {
  if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) return seed;
  throw new Error(`seed: must be a whole number from 0 to ${2 ** 32 - 1}, got ${seed}`);
}

/** @throws unless these are whole numbers of at least 1 */
export function imagesShape({ classes, imageSize, ...options }: SamplingOptions, channels: number): Shape {
  const { batchSize = classes?.length ?? 16 } = options;
  const [height, width] = typeof imageSize === "number" ? [imageSize, imageSize] : imageSize;
  for (const [name, value] of Object.entries({ batchSize, height, width })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new Error(`sample: ${name} must be a whole number of at least 1, got ${value}`);
  }
  return [batchSize, height, width, channels];
}

/** @throws unless these are f32 images of a shape */
export function checkImages(name: string, { shape, dtype }: NdArray, required: Shape): void {
  if (sameShape(shape, required) && dtype === "f32") return;
  throw new Error(`${name} must be f32 ${formatShape(required)}, got ${dtype} ${formatShape(shape)}`);
}

function wantedSteps(returnSteps: SamplingOptions["returnSteps"] = [], steps: number): ReadonlySet<number> {
  if (returnSteps === "all") return new Set(Array.from({ length: steps + 1 }, (_, step) => step));
  for (const step of returnSteps) {
    if (Number.isInteger(step) && step >= 0 && step <= steps) continue;
    throw new Error(`sample: returnSteps must be whole numbers from 0 to ${steps}, got ${step}`);
  }
  return new Set(returnSteps);
}

/** Standard normal numbers, the same ones on every call. */
async function drawNoise(backend: Backend, shape: Shape, seed: number): Promise<NdArray> {
  const draw = compile(backend, (seed, counter) => ({
    outputs: { noise: new RandomStream([seed, counter]).normal(shape) },
  }));
  const { noise } = await draw(ndarray([seed], [], "u32"), ndarray([START], [], "u32"));
  draw.dispose();
  return noise;
}
