import type { NoiseLevel, NoiseLevels } from "../noise-level.ts";
import { timestepSpacingNames, timestepsOf } from "../timestep-spacing.ts";
import type { TimestepSpacing } from "../timestep-spacing.ts";
import { factors } from "./combination.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { deis } from "./deis.ts";
import { dpmSolver2M, dpmSolver2MSde, dpmSolver3M } from "./dpm-solver.ts";
import { edm } from "./edm.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { euler } from "./euler.ts";
import { heun } from "./heun.ts";
import { lms } from "./lms.ts";
import { pndm } from "./pndm.ts";
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
  /** Default `trailing`; for `pndm` `leading`, for `heun` and `edm` `karras`. */
  readonly timestepSpacing?: TimestepSpacing;
  /** Least noise of `karras`, sigma / alpha; default that of the first timestep. */
  readonly sigmaMin?: number;
  /** Most noise of `karras`; default that of the last timestep, but at most 80. */
  readonly sigmaMax?: number;
  /** Instead of all that: the timesteps to visit, whole numbers, the noisiest first. See `sectionedTimesteps`. */
  readonly timesteps?: readonly number[];
}

/** Everything that a sampler does, as numbers. */
export interface SamplingPlan {
  readonly sampler: SamplerName;
  /** One for each evaluation of the network. */
  readonly steps: readonly SamplerStep[];
  /** Images that it keeps from step to step, besides x. */
  readonly memory: number;
  /** Whether it draws fresh noise. */
  readonly isStochastic: boolean;
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
  const steps = sampler(levelsOf(levels, options), options, (rho) => levels.withRho(rho));
  return { sampler: name, steps, ...demandsOf(name, steps) };
}

function demandsOf(name: SamplerName, steps: readonly SamplerStep[]): Omit<SamplingPlan, "sampler" | "steps"> {
  const memory = Math.max(...steps.map((step) => step.memory?.length ?? 0));
  for (const { level, x, memory: kept = [] } of steps) {
    if ([x, ...kept].flatMap((combination) => factors(combination, memory)).every(Number.isFinite)) continue;
    throw new Error(`internal: ${name} has no finite step at timestep ${level.timestep}`);
  }
  const isStochastic = steps.some(({ x: { z = 0 } }) => z !== 0);
  const isWhole = steps.every(({ level }) => Number.isInteger(level.timestep));
  return { memory, isStochastic, timestepType: isWhole ? "i32" : "f32" };
}

function levelsOf(levels: NoiseLevels, options: PlanOptions): NoiseLevel[] {
  const { sampler, timesteps, sigmaMin, sigmaMax } = options;
  const { spacing: usual = "trailing" }: Row = samplers[sampler];
  const { timestepSpacing: spacing = usual } = options;
  if (!timestepSpacingNames.includes(spacing)) {
    throw new Error(`timestepSpacing: must be one of ${timestepSpacingNames.join(", ")}, got ${spacing}`);
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

function checkedSteps({ sampler, steps }: PlanOptions, most: number): number {
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
