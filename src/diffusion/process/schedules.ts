import { checkOptions } from "../../config/rules.ts";
/** Betas of T timesteps, the variance of the noise that each adds. In float64. */
export type Betas = Float64Array<ArrayBuffer>;

export interface BetaRange {
  /** Default 1e-4. */
  readonly betaStart?: number;
  /** Default 0.02. */
  readonly betaEnd?: number;
  /**
   * Multiplies both by 1000 / T, as guided-diffusion does (Dhariwal & Nichol 2021, 2105.05233): then any number of
   * timesteps takes as much of the image as 1,000. Default false.
   */
  readonly scale?: boolean;
}

/** The range of Ho et al. (2020, 2006.11239). */
const DDPM = { betaStart: 1e-4, betaEnd: 0.02 };
/** That of latent diffusion (Rombach et al. 2022, 2112.10752). */
const LATENT = { betaStart: 0.00085, betaEnd: 0.012 };

/** Betas rise by equal steps from `betaStart` to `betaEnd` (Ho et al. 2020, 2006.11239). */
export function linearBetaSchedule(timesteps: number, range: BetaRange = {}): Betas {
  return spaced("linearBetaSchedule", timesteps, rangeOf("linearBetaSchedule", timesteps, { ...DDPM, ...range }));
}

/** The square roots of the betas rise by equal steps. */
export function quadraticBetaSchedule(timesteps: number, range: BetaRange = {}): Betas {
  const ends = rangeOf("quadraticBetaSchedule", timesteps, { ...DDPM, ...range });
  return spaced("quadraticBetaSchedule", timesteps, ends.map(Math.sqrt)).map((root) => root * root);
}

/** The same rule with the range of latent diffusion: what diffusers calls `scaled_linear`. */
export function scaledLinearBetaSchedule(timesteps: number, range: BetaRange = {}): Betas {
  const ends = rangeOf("scaledLinearBetaSchedule", timesteps, { ...LATENT, ...range });
  return spaced("scaledLinearBetaSchedule", timesteps, ends.map(Math.sqrt)).map((root) => root * root);
}

/**
 * Betas follow the logistic function over [-6, 6], from about `betaStart` to about `betaEnd`, as in the article. The
 * schedule that denoising-diffusion-pytorch calls sigmoid is {@link sigmoidJabriBetaSchedule}.
 */
export function sigmoidBetaSchedule(timesteps: number, range: BetaRange = {}): Betas {
  const [start, end] = rangeOf("sigmoidBetaSchedule", timesteps, { ...DDPM, ...range });
  return spaced("sigmoidBetaSchedule", timesteps, [-6, 6]).map((place) => start + (end - start) * logistic(place));
}

export interface SigmoidOptions {
  /** Where the logistic function begins; default -3. */
  readonly start?: number;
  /** Where it ends, above `start`; default 3. */
  readonly end?: number;
  /** How gently it falls, above 0; default 1. */
  readonly tau?: number;
}

/**
 * The sigmoid schedule of Jabri et al. (2022, 2212.11972, figure 8), the default of denoising-diffusion-pytorch: what is
 * left of the image, alphasCumprod, falls along the logistic function from `start` to `end`, scaled to go from 1 to 0.
 * Betas are kept below 0.999.
 */
export function sigmoidJabriBetaSchedule(timesteps: number, options: SigmoidOptions = {}): Betas {
  checkOptions("sigmoidJabriBetaSchedule", options, { start: "number", end: "number", tau: "number" });
  const { start = -3, end = 3, tau = 1 } = options;
  if (!(start < end && Number.isFinite(end - start))) {
    throw new Error(`sigmoidJabriBetaSchedule: start must be below end, got ${start} and ${end}`);
  }
  if (!(tau > 0 && tau < Infinity)) throw new Error(`sigmoidJabriBetaSchedule: tau must be above 0, got ${tau}`);
  const [first, last] = [logistic(start / tau), logistic(end / tau)];
  const abar = (share: number): number => (last - logistic((start + share * (end - start)) / tau)) / (last - first);
  return betasFor("sigmoidJabriBetaSchedule", timesteps, abar);
}

/**
 * The cosine schedule of Nichol & Dhariwal (2021, 2102.09672): alphasCumprod(t) = f(t) / f(0) with
 * f(t) = cos^2((t / T + s) / (1 + s) * pi / 2). Betas are kept within [1e-4, 0.9999], as in the article; the paper's,
 * at most 0.999 and with no least, are {@link squaredcosCapV2BetaSchedule}.
 *
 * Rounds to float32 where PyTorch code does: near t = T the cosine vanishes, and float64 is 4e-6 away from the betas
 * that models were trained with.
 *
 * @param options.s keeps the first betas from vanishing; default 0.008
 */
export function cosineBetaSchedule(timesteps: number, options: { readonly s?: number } = {}): Betas {
  checkOptions("cosineBetaSchedule", options, { s: "number" });
  const { s = 0.008 } = options;
  checkTimesteps("cosineBetaSchedule", timesteps);
  if (!(s >= 0)) throw new Error(`cosineBetaSchedule: s must be at least 0, got ${s}`);
  const round = Math.fround;
  const f = Float32Array.from({ length: timesteps + 1 }, (_, t) => {
    const place = round(round(round(t / timesteps) + round(s)) / round(1 + s));
    return round(Math.cos(round(round(place * round(Math.PI)) * 0.5))) ** 2;
  });
  const alphasCumprod = f.map((value) => value / f[0]);
  return Float64Array.from({ length: timesteps }, (_, t) => {
    const beta = round(1 - round(alphasCumprod[t + 1] / alphasCumprod[t]));
    return Math.min(Math.max(beta, 1e-4), 0.9999);
  });
}

/**
 * The cosine schedule of Nichol & Dhariwal as they, diffusers (`squaredcos_cap_v2`) and denoising-diffusion-pytorch clip
 * it: betas are at most 0.999.
 *
 * @param options.s keeps the first betas from vanishing; default 0.008
 */
export function squaredcosCapV2BetaSchedule(timesteps: number, options: { readonly s?: number } = {}): Betas {
  checkOptions("squaredcosCapV2BetaSchedule", options, { s: "number" });
  const { s = 0.008 } = options;
  if (!(s >= 0)) throw new Error(`squaredcosCapV2BetaSchedule: s must be at least 0, got ${s}`);
  const f = (share: number): number => Math.cos((((share + s) / (1 + s)) * Math.PI) / 2) ** 2;
  return betasFor("squaredcosCapV2BetaSchedule", timesteps, f);
}

export interface LaplaceOptions {
  /** Where most timesteps are, as a logarithm of the signal-to-noise ratio; default 0. */
  readonly mu?: number;
  /** How far they spread from there, above 0; default 0.5. */
  readonly b?: number;
}

/**
 * Hang et al. (2024, "Improved Noise Schedule for Diffusion Training", 2407.03297): over uniform t the logarithm of the
 * signal-to-noise ratio, log(abar / (1 - abar)), has a Laplace distribution,
 *
 *     lambda(t) = mu - b sgn(1/2 - t) log(1 - 2 |t - 1/2|)
 *
 * at t = 1/T, ..., 1. Betas are kept below 0.999: the last would be 1.
 */
export function laplaceBetaSchedule(timesteps: number, options: LaplaceOptions = {}): Betas {
  checkOptions("laplaceBetaSchedule", options, { mu: "number", b: "number" });
  const { mu = 0, b = 0.5 } = options;
  if (!Number.isFinite(mu)) throw new Error(`laplaceBetaSchedule: mu must be finite, got ${mu}`);
  if (!(b > 0)) throw new Error(`laplaceBetaSchedule: b must be above 0, got ${b}`);
  const abar = (place: number): number => {
    if (place === 0) return 1;
    return logistic(mu - b * Math.sign(0.5 - place) * Math.log(1 - 2 * Math.abs(place - 0.5)));
  };
  return betasFor("laplaceBetaSchedule", timesteps, abar);
}

const schedules = {
  linear: linearBetaSchedule,
  cosine: cosineBetaSchedule,
  squaredcosCapV2: squaredcosCapV2BetaSchedule,
  quadratic: quadraticBetaSchedule,
  sigmoid: sigmoidBetaSchedule,
  sigmoidJabri: sigmoidJabriBetaSchedule,
  scaledLinear: scaledLinearBetaSchedule,
  laplace: laplaceBetaSchedule,
} as const;

export type BetaSchedule = keyof typeof schedules;

export const betaScheduleNames = Object.keys(schedules) as readonly BetaSchedule[];

/** Those with a range of betas, which `scale` multiplies. */
const scalable: readonly BetaSchedule[] = ["linear", "quadratic", "sigmoid", "scaledLinear"];

/** Betas of a schedule by name, with its default range. */
export function betaSchedule(name: BetaSchedule, timesteps: number, options: Pick<BetaRange, "scale"> = {}): Betas {
  checkOptions("betaSchedule", options, { scale: "boolean" });
  const { scale = false } = options;
  if (!betaScheduleNames.includes(name)) {
    throw new Error(`betaSchedule: must be one of ${betaScheduleNames.join(", ")}, got ${name}`);
  }
  if (!scale) return schedules[name](timesteps);
  if (scalable.includes(name)) return (schedules[name] as typeof linearBetaSchedule)(timesteps, { scale });
  throw new Error(`betaSchedule: only ${scalable.join(", ")} can be scaled, got ${name}`);
}

/** Betas that leave abar(t / T) of the image at every t, but are at most 0.999. */
function betasFor(schedule: string, timesteps: number, abar: (share: number) => number): Betas {
  checkTimesteps(schedule, timesteps);
  return Float64Array.from({ length: timesteps }, (_, t) =>
    Math.min(1 - abar((t + 1) / timesteps) / abar(t / timesteps), 0.999),
  );
}

/** The least and the largest beta. */
function rangeOf(
  schedule: string,
  timesteps: number,
  range: Required<Pick<BetaRange, "betaStart" | "betaEnd">> & BetaRange,
): number[] {
  checkTimesteps(schedule, timesteps);
  checkOptions(schedule, range, { betaStart: "number", betaEnd: "number", scale: "boolean" });
  const { betaStart, betaEnd, scale = false } = range;
  if (!scale) return [betaStart, betaEnd];
  const factor = 1000 / timesteps;
  if (factor * Math.max(betaStart, betaEnd) < 1) return [factor * betaStart, factor * betaEnd];
  const least = Math.floor(1000 * Math.max(betaStart, betaEnd)) + 1;
  throw new Error(`${schedule}: with scale, needs at least ${least} timesteps, or betas reach 1, got ${timesteps}`);
}

/** `count` numbers at equal distances, both ends included. */
function spaced(schedule: string, count: number, [start, end]: readonly number[]): Betas {
  checkTimesteps(schedule, count);
  const last = Math.max(1, count - 1);
  return Float64Array.from({ length: count }, (_, i) => start + ((end - start) * i) / last);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function checkTimesteps(schedule: string, timesteps: number): void {
  if (Number.isSafeInteger(timesteps) && timesteps >= 1) return;
  throw new Error(`${schedule}: timesteps must be a whole number of at least 1, got ${timesteps}`);
}
