import { CLEAN } from "../process/noise-level.ts";
import type { NoiseLevel, NoiseLevels } from "../process/noise-level.ts";
import { timestepSpacingNames } from "../process/timestep-spacing.ts";
import type { TimestepSpacing } from "../process/timestep-spacing.ts";
import { UNBOUNDED, boundsOf } from "./parts/bounds.ts";
import type { Bounds } from "./parts/bounds.ts";
import { factors } from "./parts/combination.ts";
import { ddimInverse } from "./parts/ddim-inverse.ts";
import { repaint } from "./parts/repaint.ts";
import type { Sampler, SamplerStep, Transform } from "./parts/sampler.ts";
import { checkTakes, samplerOf } from "./registry.ts";
import type { SamplerName, SamplerOptions } from "./registry.ts";

export interface PlanOptions extends SamplerOptions {
  readonly sampler: SamplerName;
  /** Noise levels to visit, from 1 to the number of timesteps; with `karras` any number. */
  readonly steps: number;
  /** Default `trailing`; for `pndm` `leading` up to every second timestep, for `heun`, `edm` and a diffusion without timesteps `karras`. */
  readonly timestepSpacing?: TimestepSpacing;
  /** Least noise of `karras`, sigma / alpha; default that of the first timestep, or the diffusion's. */
  readonly sigmaMin?: number;
  /** Most noise of `karras`; default that of the last timestep, but at most 80, or the diffusion's. */
  readonly sigmaMax?: number;
  /** Instead of all that: the timesteps to visit, whole numbers, the noisiest first. See `sectionedTimesteps`. */
  readonly timesteps?: readonly number[];
  /** Or else the noise levels to visit, the noisiest first, and after them the one to arrive at. */
  readonly levels?: readonly NoiseLevel[];
  /** Deviation of the noise to start from; default that of noisy images whose clean ones have variance 1, which is about 1. */
  readonly startDeviation?: number;
  /** Predictions of the clean images are kept within [-clipRange, clipRange]; default 1 if the diffusion clips, else Infinity. */
  readonly clipRange?: number;
  /**
   * Instead of that, dynamic thresholding (Saharia et al. 2022, 2205.11487, section 2.3): each image is divided by the size
   * that this share of its values do not exceed, from 0 to 1, if that is above 1, and what is still larger is clipped. Theirs is
   * 0.995, against the glare of large scales of guidance.
   */
  readonly thresholdingRatio?: number;
  /** The largest such size, above 0; default Infinity. */
  readonly thresholdingMax?: number;
  /** Share of the steps that run, the last ones, rounded down; default 1. Less starts from images, see `init`. */
  readonly strength?: number;
  /** Inpaints, with as many walks through each stretch of `jumpLength` steps: see `repaint`. */
  readonly resamples?: number;
  /** Steps between the ends of a jump of `resamples`; default 10, but at most half of the steps. */
  readonly jumpLength?: number;
}

/** What a plan for inversion has a use for. */
export type LevelOptions = Pick<
  PlanOptions,
  "steps" | "timestepSpacing" | "sigmaMin" | "sigmaMax" | "timesteps" | "levels" | "strength"
>;

/** Everything that a sampler does, as numbers. */
export interface SamplingPlan {
  readonly sampler: SamplerName;
  /** The noise level of the images that it begins with. */
  readonly start: NoiseLevel;
  /** Deviation of the noise that it begins with. */
  readonly startDeviation: number;
  /** How predictions of the clean images are kept within bounds, if not as the diffusion does it. */
  readonly bounds: Bounds | undefined;
  /** One for each evaluation of the network. */
  readonly steps: readonly SamplerStep[];
  /** Noise levels that it visits: the `steps` that were asked for, less those that `strength` leaves out. */
  readonly visited: number;
  /** What its steps do besides combining, if they do. */
  readonly transform: Transform | undefined;
  /** Numbers that they give to it. */
  readonly numbers: number;
  /** Images that it keeps from step to step, besides x. */
  readonly memory: number;
  /** Whether it draws fresh noise. */
  readonly isStochastic: boolean;
  /** Whether it puts known parts into images. */
  readonly isInpainting: boolean;
  /** Whether it looks at predictions as they were before they were kept within bounds. */
  readonly usesPredicted: boolean;
  /** Whether a learned variance is the variance itself. */
  readonly isVarianceItself: boolean;
  /** f32 if it asks the network between timesteps. */
  readonly timestepType: "i32" | "f32";
}

/** @throws one line, if the options do not go together */
export function samplingPlan(levels: NoiseLevels, options: PlanOptions): SamplingPlan {
  const { sampler: name } = options;
  const { sampler, transform } = samplerOf(name);
  checkTakes(name, { ...options });
  const visited = levelsOf(levels, options);
  // It was given nothing but what it takes.
  const straight = (sampler as Sampler<SamplerOptions>)(visited, options, levels);
  const steps = options.resamples === undefined ? straight : repainting(visited, straight, options);
  const start = straight[0]?.level ?? CLEAN;
  const { startDeviation = Math.hypot(start.alpha, start.sigma) } = options;
  if (!(startDeviation > 0 && startDeviation < Infinity)) {
    throw new Error(`${name}: startDeviation must be a number above 0, got ${startDeviation}`);
  }
  return {
    sampler: name,
    start,
    startDeviation,
    bounds: boundsOf(options),
    steps,
    visited: visited.length - 1,
    transform,
    ...demandsOf(name, levels, steps, transform),
  };
}

/** From images to the noise that `ddim` makes them of, over the levels that it would visit. */
export function inversionPlan(levels: NoiseLevels, options: LevelOptions): SamplingPlan {
  const visited = levelsOf(levels, { ...options, sampler: "ddim" }).toReversed();
  const steps = ddimInverse(visited);
  return {
    sampler: "ddim",
    start: CLEAN,
    startDeviation: 1,
    // Clipped predictions would lose what the noise must tell about pixels near -1 and 1.
    bounds: UNBOUNDED,
    steps,
    visited: visited.length - 1,
    transform: undefined,
    ...demandsOf("ddim", levels, steps),
  };
}

function repainting(
  levels: readonly NoiseLevel[],
  steps: readonly SamplerStep[],
  { sampler, resamples = 1, jumpLength = usualJumpLength(steps.length) }: PlanOptions,
): SamplerStep[] {
  for (const [name, value] of Object.entries({ resamples, jumpLength })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new Error(`inpainting: ${name} must be a whole number of at least 1, got ${value}`);
  }
  const learned = steps.find(({ varianceSpread = 0, isVarianceItself }) => varianceSpread !== 0 || isVarianceItself);
  if (learned) {
    const got = learned.isVarianceItself ? "learned" : "learnedRange";
    throw new Error(`inpainting: takes varianceType fixedSmall or fixedLarge, got ${got}`);
  }
  if (steps.some(({ memory }) => memory !== undefined)) {
    throw new Error(
      `inpainting: takes ddpm, ddim, euler or eulerAncestral, whose steps know of no other, got ${sampler}`,
    );
  }
  return repaint(levels, steps, { resamples, jumpLength });
}

/** The paper's 10, or what leaves room for a jump. */
function usualJumpLength(steps: number): number {
  return Math.min(10, Math.max(1, Math.floor(steps / 2)));
}

type Demands = Pick<
  SamplingPlan,
  "numbers" | "memory" | "isStochastic" | "isInpainting" | "usesPredicted" | "isVarianceItself" | "timestepType"
>;

function demandsOf(
  sampler: SamplerName,
  levels: NoiseLevels,
  steps: readonly SamplerStep[],
  transform?: Transform,
): Demands {
  const memory = Math.max(0, ...steps.map((step) => step.memory?.length ?? 0));
  const numbers = steps[0]?.numbers?.length ?? 0;
  for (const { level, x, memory: kept = [], numbers: given = [] } of steps) {
    if (given.length !== numbers) {
      throw new Error(`${sampler}: all steps must give equally many numbers, got ${numbers} and ${given.length}`);
    }
    const all = [...given, ...[x, ...kept].flatMap((combination) => factors(combination, memory))];
    if (all.every((value) => Number.isFinite(Math.fround(value)))) continue;
    throw new Error(`internal: ${sampler} has no finite step at timestep ${level.timestep}`);
  }
  const isInpainting = steps.some(({ known }) => known !== undefined);
  // What a transform makes of noise, the factors do not show.
  const isStochastic = isInpainting || transform !== undefined || steps.some(({ x: { z = 0 } }) => z !== 0);
  const isWhole = levels.timesteps !== undefined && steps.every(({ level }) => Number.isInteger(level.timestep));
  const usesPredicted = steps.some((step) =>
    [step.x, ...(step.memory ?? [])].some(({ predicted = 0 }) => predicted !== 0),
  );
  const isVarianceItself = steps.some((step) => step.isVarianceItself);
  const timestepType = isWhole ? "i32" : "f32";
  return { numbers, memory, isStochastic, isInpainting, usesPredicted, isVarianceItself, timestepType };
}

/** The levels of the steps that run, and the clean end. */
function levelsOf(levels: NoiseLevels, options: LevelOptions & Pick<PlanOptions, "sampler">): NoiseLevel[] {
  const { sampler, strength = 1 } = options;
  if (!(strength >= 0 && strength <= 1)) throw new Error(`${sampler}: strength must be from 0 to 1, got ${strength}`);
  const all = allLevelsOf(levels, options);
  const steps = all.length - 1;
  // Not Math.floor alone: 0.29 of 100 steps are 29, and 28.999999999999996 in floating point.
  const running = Math.floor(strength * steps + 1e-9);
  if (running === 0 && strength > 0) {
    throw new Error(`${sampler}: strength must leave one of ${steps} steps at least, ${1 / steps}, got ${strength}`);
  }
  return all.slice(steps - running);
}

function allLevelsOf(levels: NoiseLevels, options: LevelOptions & Pick<PlanOptions, "sampler">): NoiseLevel[] {
  const { sampler, timesteps, sigmaMin, sigmaMax } = options;
  if (options.levels) return checkedLevels(sampler, options.levels);
  const { timestepSpacing: spacing = usualSpacing(levels, options) } = options;
  if (!timestepSpacingNames.includes(spacing)) {
    throw new Error(`timestepSpacing: must be one of ${timestepSpacingNames.join(", ")}, got ${spacing}`);
  }
  if (timesteps ? levels.timesteps === undefined : !levels.spacings.includes(spacing)) {
    const [got, where] = [timesteps ? "timesteps" : spacing, levels.timesteps === undefined ? "no timesteps" : "some"];
    const names = levels.spacings.join(" or ");
    throw new Error(`${sampler}: takes timestepSpacing ${names} alone where the model knows ${where}, got ${got}`);
  }
  if (timesteps) {
    checkTimesteps(sampler, timesteps, levels.timesteps ?? 0);
    return levels.visiting(timesteps);
  }
  if (spacing !== "karras" && (sigmaMin ?? sigmaMax) !== undefined) {
    throw new Error(`sigmaMin and sigmaMax: are for timestepSpacing karras, got ${spacing}`);
  }
  const steps = checkedSteps(options, spacing === "karras" ? Infinity : (levels.timesteps ?? Infinity));
  return spacing === "karras" ? levels.karras(steps, sigmaMin, sigmaMax) : levels.spaced(spacing, steps);
}

/** The sampler's own levels if the process has timesteps, else those that the process prefers. */
function usualSpacing(
  { timesteps, spacings }: NoiseLevels,
  { sampler, steps }: Pick<PlanOptions, "sampler" | "steps">,
): TimestepSpacing {
  const { spacing = spacings[0] } = samplerOf(sampler);
  if (timesteps === undefined || !spacings.includes(spacing)) return spacings[0];
  // Whole distances up from 0 end halfway to the noise if not every second timestep is visited.
  return spacing === "leading" && steps > timesteps / 2 ? spacings[0] : spacing;
}

function checkedSteps({ sampler, steps }: Pick<PlanOptions, "sampler" | "steps">, most: number): number {
  if (Number.isSafeInteger(steps) && steps >= 1 && steps <= most) return steps;
  const range = most === Infinity ? "of at least 1" : `from 1 to ${most}`;
  throw new Error(`${sampler}: steps must be a whole number ${range}, got ${steps}`);
}

function checkedLevels(sampler: SamplerName, levels: readonly NoiseLevel[]): NoiseLevel[] {
  if (levels.length < 2) {
    throw new Error(`${sampler}: levels must name one to visit and one to arrive at, got ${levels.length}`);
  }
  for (const [i, { timestep, alpha, sigma }] of levels.entries()) {
    const isLast = i === levels.length - 1;
    if (
      Number.isFinite(timestep) &&
      alpha >= 0 &&
      alpha <= 1 &&
      sigma < Infinity &&
      (sigma > 0 || (isLast && sigma === 0))
    )
      continue;
    throw new Error(
      `${sampler}: levels must have a timestep, alpha from 0 to 1 and sigma above 0, or 0 in the last, got timestep ${timestep}, alpha ${alpha}, sigma ${sigma} at ${i}`,
    );
  }
  return [...levels];
}

function checkTimesteps(sampler: SamplerName, timesteps: readonly number[], count: number): void {
  if (timesteps.length === 0) throw new Error(`${sampler}: timesteps must name at least one, got []`);
  for (const [i, t] of timesteps.entries()) {
    if (Number.isInteger(t) && t >= 0 && t < (timesteps[i - 1] ?? count)) continue;
    throw new Error(
      `${sampler}: timesteps must be whole numbers that fall from ${count - 1} at most to 0 at least, got ${t} at ${i}`,
    );
  }
}
