import { defaultBackend } from "../../backend/default.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Denoiser } from "../denoiser.ts";
import { checkImages } from "../process/checks.ts";
import type { Process } from "../process/process.ts";
import { inversionPlan } from "../samplers/plan.ts";
import type { LevelOptions, PlanOptions, SamplingPlan } from "../samplers/plan.ts";
import { givenLowres, refuseLowres } from "./cascade.ts";
import { conditioningOf } from "./conditioning.ts";
import type { ConditioningOptions } from "./conditioning.ts";
import { noiseSourceOf } from "../randomness/noise-source.ts";
import { checkGiven, imagesShape, runPlan } from "./sampling.ts";
import type { Samples, SamplingOptions } from "./sampling.ts";
import { layoutOf } from "./step-program.ts";
import type { StepPrograms } from "./step-programs.ts";

/** How to sample; what is left out follows from the diffusion's own options. */
export type SamplerSettings = Partial<PlanOptions>;

/**
 * A diffusion that has a `sampling` does what that says. What it leaves open, and another sampler than its own, goes so:
 *
 * - `sampler`: default of `GaussianDiffusion`: `ddim` if fewer steps than timesteps are asked for, else `ddpm`, as always
 *   when inpainting; of `ElucidatedDiffusion`: `heun`, and `eulerAncestral` when inpainting.
 * - `steps`: default `samplingTimesteps`, for `ddpm` all timesteps unless it inpaints.
 * - `eta`: default `ddimSamplingEta` for `ddim`, else 1.
 * - `resamples`: default 10 if there is a `mask`.
 */
export interface SampleOptions extends SamplingOptions, SamplerSettings {}

/** Which levels to visit on the way from images to noise, and how to follow it. `steps`: default `samplingTimesteps`. */
export interface InversionOptions
  extends
    Partial<LevelOptions>,
    ConditioningOptions,
    Pick<SamplingOptions, "backend" | "returnSteps" | "onStep" | "signal"> {}

/** Walks a plan that was made for these options, from noise or from what they give. */
export async function sample(
  process: Process,
  programs: StepPrograms,
  plan: SamplingPlan,
  model: Denoiser,
  options: SampleOptions,
): Promise<Samples> {
  const { strength = 1, start, init } = options;
  const shape = imagesShape(options, model.channels);
  checkGiven(options, plan, shape);
  if (strength < 1 && !start && !init) {
    throw new Error(`sample: strength below 1 leaves no noise to start from: give init, got strength ${strength}`);
  }
  const told = conditioningOf(model, shape, options);
  const noise = noiseSourceOf(options, shape);
  const backend = options.backend ?? (await defaultBackend());
  const lowres = await givenLowres(model, process.levels, options, backend, shape, noise);
  const conditioning = { ...told, conditions: { ...told.conditions, ...lowres } };
  const layout = layoutOf(process, { model, backend, shape, ...conditioning }, plan);
  return programs.lend(layout, (program) => runPlan("sample", program, plan, conditioning, noise, options));
}

/** See `Diffusion.invert`; `steps` are given here. */
export async function invert(
  process: Process,
  programs: StepPrograms,
  model: Denoiser,
  images: NdArray,
  options: InversionOptions & Pick<LevelOptions, "steps">,
): Promise<Samples> {
  const [batch, height, width] = images.shape;
  refuseLowres("invert", model);
  checkImages("invert: images", images, [batch, height, width, model.channels]);
  const plan = inversionPlan(process.levels, options);
  const conditioning = conditioningOf(model, images.shape, options);
  const backend = options.backend ?? (await defaultBackend());
  const layout = layoutOf(process, { model, backend, shape: images.shape, ...conditioning }, plan);
  return programs.lend(layout, (program) =>
    runPlan("invert", program, plan, conditioning, noiseSourceOf({}, images.shape), { ...options, start: images }),
  );
}
