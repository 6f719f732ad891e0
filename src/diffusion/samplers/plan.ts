import { CLEAN } from "../process/noise-level.ts";
import type { NoiseLevel, NoiseLevels } from "../process/noise-level.ts";
import { timestepSpacingNames, timestepsOf } from "../process/timestep-spacing.ts";
import type { TimestepSpacing } from "../process/timestep-spacing.ts";
import { factors } from "./combination.ts";
import { ddim } from "./ddim.ts";
import { ddimInverse } from "./ddim-inverse.ts";
import { ddpm } from "./ddpm.ts";
import { deis } from "./deis.ts";
import { dpmSolver2M, dpmSolver2MSde, dpmSolver3M } from "./dpm-solver.ts";
import { edm } from "./edm.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { euler } from "./euler.ts";
import { heun } from "./heun.ts";
import { lms } from "./lms.ts";
import { pndm } from "./pndm.ts";
import { repaint } from "./repaint.ts";
import type { Sampler, SamplerOptions, SamplerStep } from "./sampler.ts";
import { uniPC } from "./uni-pc.ts";

interface Row {
  readonly sampler: Sampler;
  /** The options that it has a use for. */
  readonly takes: readonly (keyof SamplerOptions)[];
  /** Default `trailing`. */
  readonly spacing?: TimestepSpacing;
}

const samplers = {
  ddpm: { sampler: ddpm, takes: ["varianceType"] },
  ddim: { sampler: ddim, takes: ["eta"] },
  pndm: { sampler: pndm, takes: [], spacing: "leading" },
  deis: { sampler: deis, takes: ["order"] },
  "dpmSolver++2M": { sampler: dpmSolver2M, takes: [] },
  "dpmSolver++3M": { sampler: dpmSolver3M, takes: [] },
  "dpmSolver++2MSde": { sampler: dpmSolver2MSde, takes: ["eta"] },
  uniPC: { sampler: uniPC, takes: ["order"] },
  euler: { sampler: euler, takes: [] },
  eulerAncestral: { sampler: eulerAncestral, takes: ["eta"] },
  heun: { sampler: heun, takes: [], spacing: "karras" },
  lms: { sampler: lms, takes: ["order"] },
  edm: { sampler: edm, takes: ["sChurn", "sTMin", "sTMax", "sNoise"], spacing: "karras" },
} as const satisfies Readonly<Record<string, Row>>;

export type SamplerName = keyof typeof samplers;

/** Every sampler by name. */
export const samplerNames = Object.keys(samplers) as readonly SamplerName[];

const optionNames = ["eta", "order", "varianceType", "sChurn", "sTMin", "sTMax", "sNoise"] as const;

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
  "steps" | "timestepSpacing" | "sigmaMin" | "sigmaMax" | "timesteps" | "strength"
>;

/** Everything that a sampler does, as numbers. */
export interface SamplingPlan {
  readonly sampler: SamplerName;
  /** The noise level of the images that it begins with. */
  readonly start: NoiseLevel;
  /** One for each evaluation of the network. */
  readonly steps: readonly SamplerStep[];
  /** Noise levels that it visits: the `steps` that were asked for, less those that `strength` leaves out. */
  readonly visited: number;
  /** Images that it keeps from step to step, besides x. */
  readonly memory: number;
  /** Whether it draws fresh noise. */
  readonly isStochastic: boolean;
  /** Whether it puts known parts into images. */
  readonly isInpainting: boolean;
  /** f32 if it asks the network between timesteps. */
  readonly timestepType: "i32" | "f32";
}

/** @throws one line, if the options do not go together */
export function samplingPlan(levels: NoiseLevels, options: PlanOptions): SamplingPlan {
  const { sampler: name } = options;
  if (!Object.hasOwn(samplers, name)) {
    throw new Error(`sampler: must be one of ${samplerNames.join(", ")}, got ${name}`);
  }
  const { sampler, takes }: Row = samplers[name];
  for (const option of optionNames) {
    if (options[option] === undefined || takes.includes(option)) continue;
    const others = samplerNames.filter((other) => (samplers[other] as Row).takes.includes(option));
    throw new Error(`${name}: has no ${option}, got ${options[option]}; it is for ${others.join(", ")}`);
  }
  const visited = levelsOf(levels, options);
  const straight = sampler(visited, options, (rho) => levels.withRho(rho));
  const steps = options.resamples === undefined ? straight : repainting(visited, straight, options);
  const start = straight[0]?.level ?? CLEAN;
  return { sampler: name, start, steps, visited: visited.length - 1, ...demandsOf(name, steps) };
}

/** From images to the noise that `ddim` makes them of, over the levels that it would visit. */
export function inversionPlan(levels: NoiseLevels, options: LevelOptions): SamplingPlan {
  const visited = levelsOf(levels, { ...options, sampler: "ddim" }).toReversed();
  const steps = ddimInverse(visited);
  return { sampler: "ddim", start: CLEAN, steps, visited: visited.length - 1, ...demandsOf("ddim", steps) };
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
  if (steps.some(({ varianceSpread = 0 }) => varianceSpread !== 0)) {
    throw new Error("inpainting: takes varianceType fixedSmall or fixedLarge, got learnedRange");
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

type Demands = Pick<SamplingPlan, "memory" | "isStochastic" | "isInpainting" | "timestepType">;

function demandsOf(sampler: SamplerName, steps: readonly SamplerStep[]): Demands {
  const memory = Math.max(0, ...steps.map((step) => step.memory?.length ?? 0));
  for (const { level, x, memory: kept = [] } of steps) {
    if ([x, ...kept].flatMap((combination) => factors(combination, memory)).every(Number.isFinite)) continue;
    throw new Error(`internal: ${sampler} has no finite step at timestep ${level.timestep}`);
  }
  const isInpainting = steps.some(({ known }) => known !== undefined);
  const isStochastic = isInpainting || steps.some(({ x: { z = 0 } }) => z !== 0);
  const isWhole = steps.every(({ level }) => Number.isInteger(level.timestep));
  return { memory, isStochastic, isInpainting, timestepType: isWhole ? "i32" : "f32" };
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
  const { spacing: preferred = "trailing" }: Row = samplers[sampler];
  // Whole distances up from 0 end halfway to the noise if not every second timestep is visited.
  const usual = preferred === "leading" && options.steps > levels.timesteps / 2 ? "trailing" : preferred;
  const hasTimesteps = levels.timesteps > 0;
  const { timestepSpacing: spacing = hasTimesteps ? usual : "karras" } = options;
  if (!timestepSpacingNames.includes(spacing)) {
    throw new Error(`timestepSpacing: must be one of ${timestepSpacingNames.join(", ")}, got ${spacing}`);
  }
  if (!hasTimesteps && (timesteps || spacing !== "karras")) {
    const got = timesteps ? "timesteps" : spacing;
    throw new Error(`${sampler}: takes timestepSpacing karras alone where the model knows no timesteps, got ${got}`);
  }
  if (timesteps) {
    checkTimesteps(sampler, timesteps, levels.timesteps);
    return levels.visiting(timesteps);
  }
  const steps = checkedSteps(options, spacing === "karras" ? Infinity : levels.timesteps);
  if (spacing !== "karras") {
    if (sigmaMin === undefined && sigmaMax === undefined) {
      return levels.visiting(timestepsOf(spacing, levels.timesteps, steps));
    }
    throw new Error(`sigmaMin and sigmaMax: are for timestepSpacing karras, got ${spacing}`);
  }
  return levels.karras(steps, sigmaMin, sigmaMax);
}

function checkedSteps({ sampler, steps }: Pick<PlanOptions, "sampler" | "steps">, most: number): number {
  if (Number.isSafeInteger(steps) && steps >= 1 && steps <= most) return steps;
  const range = most === Infinity ? "of at least 1" : `from 1 to ${most}`;
  throw new Error(`${sampler}: steps must be a whole number ${range}, got ${steps}`);
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
