import type { Backend } from "../../backend/backend.ts";
import { allocate } from "../../tensor/dtype.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Shape } from "../../tensor/shape.ts";
import { checkImages } from "../process/checks.ts";
import type { LowresOptions } from "./cascade.ts";
import { countOf, givenConditions } from "./conditioning.ts";
import type { Conditioning, ConditioningOptions } from "./conditioning.ts";
import type { SamplerStep } from "../samplers/parts/sampler.ts";
import type { SamplingPlan } from "../samplers/plan.ts";
import type { NoiseSource, RandomnessOptions } from "../randomness/noise-source.ts";
import { START_NOISE } from "./noise.ts";
import type { StartingImages } from "./starting-images.ts";
import type { StepProgram } from "./step-program.ts";

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

export interface SamplingOptions extends ConditioningOptions, LowresOptions, RandomnessOptions {
  /** Default 16, or as many as there are classes, vectors, contexts or images given. */
  readonly batchSize?: number;
  /** One side of square images, or [height, width], in pixels. Images that are given know it. */
  readonly imageSize?: number | readonly [number, number];
  /** Where to compute; without one, on the default backend. */
  readonly backend?: Backend;
  /** Images of the first noise level to start from instead of noise, [batchSize, height, width, channels]. */
  readonly start?: NdArray;
  /**
   * Clean images to start from, [batchSize or 1 for all, height, width, channels], about [-1, 1]: SDEdit (Meng et al.
   * 2021, 2108.01073). They get the noise of the first of the steps that `strength` leaves.
   */
  readonly init?: NdArray;
  /** Images to inpaint (see `repaint`), shaped as `init`. */
  readonly image?: NdArray;
  /** What to paint of them: 1, and 0 where `image` stays, [batchSize or 1, height, width, 1]. */
  readonly mask?: NdArray;
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

/**
 * Walks a plan from noise to images; every sampler shares this loop.
 *
 * @param what names the call in errors
 * @throws one line if the network's answers are not finite
 */
export async function runPlan(
  what: string,
  program: StepProgram,
  plan: SamplingPlan,
  conditioning: Conditioning,
  noise: NoiseSource,
  options: Omit<SamplingOptions, keyof RandomnessOptions>,
): Promise<Samples> {
  const { shape } = program.layout;
  const steps = plan.steps.length;
  const wanted = wantedSteps(options.returnSteps, steps);
  const kept: { step: number; images: NdArray }[] = [];

  options.signal?.throwIfAborted();
  const { start = await startOf(program.starting, options, noise, plan) } = options;
  const { image, mask } = options;
  const known = image && mask && { images: repeated(image, shape), mask: repeated(mask, shape) };
  await program.begin({ x: start, known, ...conditioning });
  if (wanted.has(0)) kept.push({ step: 0, images: start });

  for (const [index, next] of plan.steps.entries()) {
    options.signal?.throwIfAborted();
    await program.step(next, drawsNoise(next, plan) ? noise.draw(index) : noise.none);
    const step = index + 1;
    if (wanted.has(step)) kept.push({ step, images: await program.images() });
    if (!options.onStep) continue;
    const [images, xStart] = [await program.images(), await program.xStart()];
    await options.onStep({ step, steps, timestep: next.level.timestep, images, xStart });
  }
  await program.checkFinite(what);
  return { ...(await program.images()), steps: kept };
}

function drawsNoise({ x: { z = 0 }, known }: SamplerStep, { transform }: SamplingPlan): boolean {
  return z !== 0 || known !== undefined || transform !== undefined;
}

/** The shape of the images that are asked for. */
export function imagesShape(options: SamplingOptions, channels: number): Shape {
  const [count, ...size] = (options.start ?? options.init ?? options.image)?.shape ?? [];
  const [first = options.lowresCondImg] = Object.values(givenConditions(options));
  const told = first && countOf(first);
  const { batchSize = told ?? count ?? 16 } = options;
  const { imageSize = size.length === 3 ? [size[0], size[1]] : undefined } = options;
  if (imageSize === undefined) throw new Error("sample: imageSize must be given, as there are no images to start from");
  const [height, width] = typeof imageSize === "number" ? [imageSize, imageSize] : imageSize;
  for (const [name, value] of Object.entries({ batchSize, height, width })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new Error(`sample: ${name} must be a whole number of at least 1, got ${value}`);
  }
  return [batchSize, height, width, channels];
}

/** @throws one line, if what sampling starts from or keeps does not fit */
export function checkGiven({ start, init, image, mask }: SamplingOptions, plan: SamplingPlan, shape: Shape): void {
  if (start) checkImages("sample: start", start, shape);
  if (start && init) throw new Error("sample: takes start or init, got both");
  if ((image === undefined) !== (mask === undefined) || (plan.isInpainting && !mask)) {
    throw new Error("sample: inpainting takes both image and mask");
  }
  const [batch, height, width] = shape;
  for (const [name, images] of Object.entries({ init, image, mask })) {
    if (!images) continue;
    const count = images.shape[0] === 1 ? 1 : batch;
    checkImages(`sample: ${name}`, images, [count, height, width, name === "mask" ? 1 : shape[3]]);
  }
  const other = mask?.data.find((value) => value !== 0 && value !== 1);
  if (other !== undefined) throw new Error(`sample: mask must hold 1 where to paint and 0 elsewhere, got ${other}`);
}

async function startOf(
  starting: StartingImages,
  { init }: Pick<SamplingOptions, "init">,
  noise: NoiseSource,
  { start, startDeviation }: SamplingPlan,
): Promise<NdArray> {
  const ofStart = noise.draw(START_NOISE);
  return init ? starting.noised(ofStart, init, start) : starting.noise(ofStart, startDeviation);
}

/** One image for each of a batch. */
function repeated({ data, dtype, shape: [count, ...image] }: NdArray, [batch]: Shape): NdArray {
  if (count === batch) return { data, dtype, shape: [count, ...image] };
  const all = allocate(dtype, batch * data.length);
  for (let i = 0; i < batch; i++) all.set(data, i * data.length);
  return { data: all, dtype, shape: [batch, ...image] };
}

function wantedSteps(returnSteps: SamplingOptions["returnSteps"] = [], steps: number): ReadonlySet<number> {
  if (returnSteps === "all") return new Set(Array.from({ length: steps + 1 }, (_, step) => step));
  for (const step of returnSteps) {
    if (Number.isInteger(step) && step >= 0 && step <= steps) continue;
    throw new Error(`sample: returnSteps must be whole numbers from 0 to ${steps}, got ${step}`);
  }
  return new Set(returnSteps);
}
