import { annealedLangevin } from "./annealed-langevin.ts";
import { ddim } from "./ddim.ts";
import { ddpm } from "./ddpm.ts";
import { deis } from "./multistep/deis.ts";
import { dpmSolver2M, dpmSolver2MSde, dpmSolver3M, dpmSolver3MSde } from "./multistep/dpm-solver.ts";
import { edm } from "./edm.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { euler } from "./euler.ts";
import { heun } from "./heun.ts";
import { lcm } from "./lcm.ts";
import { lms } from "./multistep/lms.ts";
import type { SamplerRow } from "./parts/sampler.ts";
import { pndm } from "./multistep/pndm.ts";
import { langevin, predictorCorrector } from "./predictor-corrector.ts";
import { uniPC } from "./multistep/uni-pc.ts";

const builtIn = {
  ddpm: { sampler: ddpm, takes: ["varianceType", "finalNoise"] },
  ddim: { sampler: ddim, takes: ["eta", "stride", "useClippedModelOutput"] },
  pndm: { sampler: pndm, takes: ["stride", "rungeKutta", "mixesVelocities"], spacing: "leading" },
  deis: { sampler: deis, takes: ["order", "finalOrders"] },
  "dpmSolver++2M": { sampler: dpmSolver2M, takes: ["solverType", "finalOrders"] },
  "dpmSolver++3M": { sampler: dpmSolver3M, takes: ["solverType", "finalOrders", "halfCurvature"] },
  "dpmSolver++2MSde": { sampler: dpmSolver2MSde, takes: ["eta", "solverType", "finalOrders"] },
  "dpmSolver++3MSde": { sampler: dpmSolver3MSde, takes: ["eta", "solverType", "finalOrders", "halfCurvature"] },
  uniPC: { sampler: uniPC, takes: ["order", "finalOrders", "bh", "predictsX0", "uncorrected"] },
  euler: { sampler: euler, takes: [] },
  eulerAncestral: { sampler: eulerAncestral, takes: ["eta"] },
  heun: { sampler: heun, takes: [], spacing: "karras" },
  lcm: { sampler: lcm, takes: ["timestepScaling"] },
  lms: { sampler: lms, takes: ["order"] },
  edm: { sampler: edm, takes: ["sChurn", "sTMin", "sTMax", "sNoise"], spacing: "karras" },
  predictorCorrector: { sampler: predictorCorrector, takes: ["correctorSteps", "snr"], transform: langevin },
  annealedLangevin: { sampler: annealedLangevin, takes: ["langevinSteps", "stepSize"] },
} as const satisfies Readonly<Record<string, SamplerRow>>;

type BuiltIn = typeof builtIn;

/** The samplers that come along, or the name of one that was registered. */
export type SamplerName = keyof BuiltIn | (string & Record<never, never>);

type OptionsOf<Sampler> = Sampler extends (levels: never, options: infer Options, ...rest: never) => unknown
  ? unknown extends Options
    ? never
    : Options
  : never;
type AllOf<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

/** What samplers can be told; each says in its file what it takes. */
export type SamplerOptions = AllOf<OptionsOf<BuiltIn[keyof BuiltIn]["sampler"]>>;

/** Every sampler that comes along, by name. */
export const samplerNames: readonly SamplerName[] = Object.keys(builtIn);

const samplers = new Map<string, SamplerRow>(Object.entries(builtIn));

/**
 * Makes a sampler of your own known by a name, for `sample({ sampler: name })` of every diffusion.
 *
 * @throws one line if there is one of that name
 * @example
 * registerSampler("halfway", {
 *   takes: [],
 *   sampler: (levels) => intervalsOf(levels).map(({ from, to }) => ({ level: from, x: { x0: to.alpha, z: to.sigma } })),
 * });
 */
export function registerSampler(name: string, row: SamplerRow): void {
  if (samplers.has(name)) throw new Error(`registerSampler: there is a sampler ${name} already`);
  samplers.set(name, row);
}

/** @throws one line if there is none of that name */
export function samplerOf(name: string): SamplerRow {
  const row = samplers.get(name);
  if (!row) throw new Error(`sampler: must be one of ${[...samplers.keys()].join(", ")}, got ${name}`);
  return row;
}

/** The names of the options that some sampler takes. */
export function takenBySamplers(): string[] {
  return [...samplers.values()].flatMap(({ takes }) => takes);
}

/** @throws one line if it is given an option that it has no use for */
export function checkTakes(name: string, options: Readonly<Record<string, unknown>>): void {
  const { takes } = samplerOf(name);
  for (const option of new Set([...samplers.values()].flatMap((row) => row.takes))) {
    if (options[option] === undefined || takes.includes(option)) continue;
    const others = [...samplers].filter(([, row]) => row.takes.includes(option)).map(([other]) => other);
    throw new Error(
      `${name}: has no ${option}, got ${options[option] as number | string}; it is for ${others.join(", ")}`,
    );
  }
}
