import type { Betas } from "./schedules.ts";

/**
 * Everything that follows from the betas of T timesteps, each an array over t = 0, ..., T - 1 in float64. Timestep t
 * here is t + 1 in Ho et al. (2020, 2006.11239), whose symbols are beside the names.
 */
export interface NoiseSchedule {
  /** beta_t */
  readonly betas: Betas;
  /** alpha_t = 1 - beta_t */
  readonly alphas: Betas;
  /** abar_t = alpha_0 ... alpha_t, the share of the clean image's variance that is left */
  readonly alphasCumprod: Betas;
  /** abar_(t-1), and 1 for t = 0 */
  readonly alphasCumprodPrev: Betas;
  /** sqrt(alpha_t) */
  readonly sqrtAlphas: Betas;
  /** sqrt(beta_t) */
  readonly sqrtBetas: Betas;
  /** 1 / sqrt(alpha_t) */
  readonly sqrtRecipAlphas: Betas;
  /** sqrt(abar_t) */
  readonly sqrtAlphasCumprod: Betas;
  /** sqrt(1 - abar_t) */
  readonly sqrtOneMinusAlphasCumprod: Betas;
  /** sqrt(1 / abar_t) */
  readonly sqrtRecipAlphasCumprod: Betas;
  /** sqrt(1 / abar_t - 1) */
  readonly sqrtRecipm1AlphasCumprod: Betas;
  /** Variance of q(x_(t-1) | x_t, x_0), equation 7: beta_t (1 - abar_(t-1)) / (1 - abar_t); 0 for t = 0 */
  readonly posteriorVariance: Betas;
  readonly sqrtPosteriorVariance: Betas;
  /** log(beta_t) */
  readonly logBetas: Betas;
  /** log of the posterior variance; for t = 0, where that is 0, of the next one (Nichol & Dhariwal 2021, 2102.09672) */
  readonly posteriorLogVarianceClipped: Betas;
  /** Factor of x_0 in the posterior's mean, equation 7 */
  readonly posteriorMeanCoef1: Betas;
  /** Factor of x_t in the posterior's mean, equation 7 */
  readonly posteriorMeanCoef2: Betas;
  /** beta_t / sqrt(1 - abar_t), the factor of the noise in equation 11 */
  readonly betasOverSqrtOneMinusAlphasCumprod: Betas;
}

/**
 * Where sqrt(abar) is at most this, images in float32 are noise alone, and their levels cannot be told apart.
 */
export const LEAST_ALPHA = 2 ** -24;

/**
 * @throws unless there are betas, all within (0, 1), whose alphasCumprod falls at every timestep and leaves some signal
 *     to all but the last, where beta may also be 1
 */
export function noiseSchedule(betaValues: ArrayLike<number>): NoiseSchedule {
  const betas = Float64Array.from(betaValues);
  checkBetas(betas);
  const alphas = betas.map((beta) => 1 - beta);
  const alphasCumprod = cumulativeProduct(alphas);
  checkSignal(betas, alphasCumprod);
  const alphasCumprodPrev = alphasCumprod.map((_, t) => (t === 0 ? 1 : alphasCumprod[t - 1]));
  const oneMinusAlphasCumprod = alphasCumprod.map((abar) => 1 - abar);
  const posteriorVariance = betas.map((beta, t) => (beta * (1 - alphasCumprodPrev[t])) / oneMinusAlphasCumprod[t]);
  return {
    betas,
    alphas,
    alphasCumprod,
    alphasCumprodPrev,
    sqrtAlphas: alphas.map(Math.sqrt),
    sqrtBetas: betas.map(Math.sqrt),
    sqrtRecipAlphas: alphas.map((alpha) => Math.sqrt(1 / alpha)),
    sqrtAlphasCumprod: alphasCumprod.map(Math.sqrt),
    sqrtOneMinusAlphasCumprod: oneMinusAlphasCumprod.map(Math.sqrt),
    sqrtRecipAlphasCumprod: alphasCumprod.map((abar) => Math.sqrt(1 / abar)),
    sqrtRecipm1AlphasCumprod: alphasCumprod.map((abar, t) => Math.sqrt(oneMinusAlphasCumprod[t] / abar)),
    posteriorVariance,
    sqrtPosteriorVariance: posteriorVariance.map(Math.sqrt),
    logBetas: betas.map(Math.log),
    posteriorLogVarianceClipped: posteriorVariance.map((variance, t) =>
      Math.log(t > 0 ? variance : (posteriorVariance[1] ?? betas[0])),
    ),
    posteriorMeanCoef1: betas.map((beta, t) => (beta * Math.sqrt(alphasCumprodPrev[t])) / oneMinusAlphasCumprod[t]),
    posteriorMeanCoef2: alphas.map(
      (alpha, t) => ((1 - alphasCumprodPrev[t]) * Math.sqrt(alpha)) / oneMinusAlphasCumprod[t],
    ),
    betasOverSqrtOneMinusAlphasCumprod: betas.map((beta, t) => beta / Math.sqrt(oneMinusAlphasCumprod[t])),
  };
}

function checkBetas(betas: Betas): void {
  if (betas.length === 0) throw new Error("betas: must hold at least one timestep, got none");
  const last = betas.length - 1;
  const t = betas.findIndex((beta, t) => !(beta > 0 && (beta < 1 || (beta === 1 && t === last && t > 0))));
  if (t !== -1) throw new Error(`betas: must lie between 0 and 1, both excluded, got ${betas[t]} at t = ${t}`);
}

function checkSignal(betas: Betas, alphasCumprod: Betas): void {
  const still = alphasCumprod.findIndex((abar, t) => abar === (t === 0 ? 1 : alphasCumprod[t - 1]));
  if (still !== -1) throw new Error(`betas: must each add noise in float64, got ${betas[still]} at t = ${still}`);
  const last = betas.length - 1;
  const empty = alphasCumprod.findIndex((abar) => abar <= LEAST_ALPHA ** 2);
  if (empty === -1 || empty === last) return;
  throw new Error(
    `betas: only the last timestep may be without signal, got none from t = ${empty} on, of ${last + 1}: take fewer timesteps or less noise, as by scaling the betas`,
  );
}

function cumulativeProduct(values: Betas): Betas {
  let product = 1;
  return values.map((value) => (product *= value));
}
