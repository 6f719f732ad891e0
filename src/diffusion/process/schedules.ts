/** Betas of T timesteps, the variance of the noise that each adds. In float64. */
export type Betas = Float64Array<ArrayBuffer>;

export interface BetaRange {
  /** Default 1e-4. */
  readonly betaStart?: number;
  /** Default 0.02. */
  readonly betaEnd?: number;
}

/** Betas rise by equal steps from `betaStart` to `betaEnd` (Ho et al. 2020, 2006.11239). */
export function linearBetaSchedule(timesteps: number, { betaStart = 1e-4, betaEnd = 0.02 }: BetaRange = {}): Betas {
  return spaced("linearBetaSchedule", betaStart, betaEnd, timesteps);
}

/** The square roots of the betas rise by equal steps. */
export function quadraticBetaSchedule(timesteps: number, { betaStart = 1e-4, betaEnd = 0.02 }: BetaRange = {}): Betas {
  const roots = spaced("quadraticBetaSchedule", Math.sqrt(betaStart), Math.sqrt(betaEnd), timesteps);
  return roots.map((root) => root * root);
}

/**
 * The same rule with the range of latent diffusion (Rombach et al. 2022, 2112.10752): what diffusers calls
 * `scaled_linear`.
 */
export function scaledLinearBetaSchedule(
  timesteps: number,
  { betaStart = 0.00085, betaEnd = 0.012 }: BetaRange = {},
): Betas {
  const roots = spaced("scaledLinearBetaSchedule", Math.sqrt(betaStart), Math.sqrt(betaEnd), timesteps);
  return roots.map((root) => root * root);
}

/** Betas follow the logistic function over [-6, 6], from about `betaStart` to about `betaEnd`. */
export function sigmoidBetaSchedule(timesteps: number, { betaStart = 1e-4, betaEnd = 0.02 }: BetaRange = {}): Betas {
  const places = spaced("sigmoidBetaSchedule", -6, 6, timesteps);
  return places.map((place) => betaStart + (betaEnd - betaStart) / (1 + Math.exp(-place)));
}

/**
 * The cosine schedule of Nichol & Dhariwal (2021, 2102.09672): alphasCumprod(t) = f(t) / f(0) with
 * f(t) = cos^2((t / T + s) / (1 + s) * pi / 2). Betas are kept within [1e-4, 0.9999].
 *
 * Rounds to float32 where PyTorch code does: near t = T the cosine vanishes, and float64 is 4e-6 away from the betas
 * that models were trained with.
 *
 * @param options.s keeps the first betas from vanishing; default 0.008
 */
export function cosineBetaSchedule(timesteps: number, { s = 0.008 }: { readonly s?: number } = {}): Betas {
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
export function laplaceBetaSchedule(timesteps: number, { mu = 0, b = 0.5 }: LaplaceOptions = {}): Betas {
  checkTimesteps("laplaceBetaSchedule", timesteps);
  if (!Number.isFinite(mu)) throw new Error(`laplaceBetaSchedule: mu must be finite, got ${mu}`);
  if (!(b > 0)) throw new Error(`laplaceBetaSchedule: b must be above 0, got ${b}`);
  const abar = (place: number): number => {
    const lambda = mu - b * Math.sign(0.5 - place) * Math.log(1 - 2 * Math.abs(place - 0.5));
    return 1 / (1 + Math.exp(-lambda));
  };
  return Float64Array.from({ length: timesteps }, (_, t) => {
    const before = t === 0 ? 1 : abar(t / timesteps);
    return Math.min(1 - abar((t + 1) / timesteps) / before, 0.999);
  });
}

const schedules = {
  linear: linearBetaSchedule,
  cosine: cosineBetaSchedule,
  quadratic: quadraticBetaSchedule,
  sigmoid: sigmoidBetaSchedule,
  scaledLinear: scaledLinearBetaSchedule,
  laplace: laplaceBetaSchedule,
} as const;

export type BetaSchedule = keyof typeof schedules;

export const betaScheduleNames = Object.keys(schedules) as readonly BetaSchedule[];

/** Betas of a schedule by name, with its default range. */
export function betaSchedule(name: BetaSchedule, timesteps: number): Betas {
  if (!betaScheduleNames.includes(name)) {
    throw new Error(`betaSchedule: must be one of ${betaScheduleNames.join(", ")}, got ${name}`);
  }
  return schedules[name](timesteps);
}

/** `count` numbers at equal distances, both ends included. */
function spaced(schedule: string, start: number, end: number, count: number): Betas {
  checkTimesteps(schedule, count);
  const last = Math.max(1, count - 1);
  return Float64Array.from({ length: count }, (_, i) => start + ((end - start) * i) / last);
}

function checkTimesteps(schedule: string, timesteps: number): void {
  if (Number.isSafeInteger(timesteps) && timesteps >= 1) return;
  throw new Error(`${schedule}: timesteps must be a whole number of at least 1, got ${timesteps}`);
}
