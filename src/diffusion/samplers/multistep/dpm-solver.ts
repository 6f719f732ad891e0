import { lambdaOf } from "../../process/noise-level.ts";
import type { NoiseLevel } from "../../process/noise-level.ts";
import { history, sum, x, x0, z } from "../parts/combination.ts";
import type { Combination } from "../parts/combination.ts";
import { checkEta, checkFinalOrders, intervalsOf, ordersOf } from "../parts/sampler.ts";
import type { EtaOptions, FinalOrdersOptions, SamplerStep } from "../parts/sampler.ts";

const solverTypes = ["midpoint", "heun"] as const;

export interface SolverTypeOptions extends FinalOrdersOptions {
  /**
   * How a step of order 2 of a `dpmSolver++` goes on along the last slope: half way as in the paper (`midpoint`, the default
   * of the 2M ones), or by its exact integral (`heun`, the default of the 3M ones).
   */
  readonly solverType?: (typeof solverTypes)[number];
}

export interface ThirdOrderOptions extends SolverTypeOptions {
  /**
   * Whether a `dpmSolver++3M` takes the second derivative as diffusers does, half of it, and so is of order 2; default false.
   */
  readonly halfCurvature?: boolean;
}

/**
 * DPM-Solver++(2M), Algorithm 2 of Lu et al. (2022, 2211.01095). Order 2. With h = lambda_t - lambda_s for the steps'
 * lambda = log(alpha / sigma), and r = (the last h) / h,
 *
 *     x_t = (sigma_t / sigma_s) x - alpha_t (e^-h - 1) ((1 + 1 / (2r)) x_0 - 1 / (2r) x_0')
 *
 * with the predicted x_0 and the last one, x_0'.
 */
export function dpmSolver2M(levels: readonly NoiseLevel[], options: SolverTypeOptions): SamplerStep[] {
  const { solverType = "midpoint", ...others } = options;
  return multistep("dpmSolver++2M", levels, { ...others, solverType, order: 2, eta: 0 });
}

/**
 * SDE-DPM-Solver++(2M), Lu et al. (2022, 2211.01095): the same for the stochastic equation,
 *
 *     x_t = (sigma_t / sigma_s) e^(-eta h) x - alpha_t (e^-g - 1) ((1 + 1 / (2r)) x_0 - 1 / (2r) x_0')
 *           + sigma_t sqrt(1 - e^(-2 eta h)) z,   g = (1 + eta) h
 *
 * The paper's is eta = 1; k-diffusion's `sample_dpmpp_2m_sde` has others, down to eta = 0 without noise.
 */
export function dpmSolver2MSde(levels: readonly NoiseLevel[], options: SolverTypeOptions & EtaOptions): SamplerStep[] {
  const { solverType = "midpoint", eta = 1, ...others } = options;
  return multistep("dpmSolver++2MSde", levels, { ...others, solverType, eta, order: 2 });
}

/**
 * DPM-Solver++(3M), the multistep method of order 3 of Lu et al. (2022, 2211.01095): with the first and second
 * derivative by lambda of the polynomial through the last three predicted x_0,
 *
 *     x_t = (sigma_t / sigma_s) x + alpha_t (phi_1 x_0 + phi_2 h x_0' + phi_3 h^2 x_0'')
 *     phi_1 = 1 - e^-h,   phi_2 = 1 - phi_1 / h,   phi_3 = 1/2 - phi_2 / h
 *
 * The code of its authors, diffusers and k-diffusion use half of x_0'', and so are of order 2.
 */
export function dpmSolver3M(levels: readonly NoiseLevel[], options: ThirdOrderOptions): SamplerStep[] {
  const { solverType = "heun", ...others } = options;
  return multistep("dpmSolver++3M", levels, { ...others, solverType, order: 3, eta: 0 });
}

/** The same for the stochastic equation: the phi are of g = (1 + eta) h, and x and z count as in {@link dpmSolver2MSde}. */
export function dpmSolver3MSde(levels: readonly NoiseLevel[], options: ThirdOrderOptions & EtaOptions): SamplerStep[] {
  const { solverType = "heun", eta = 1, ...others } = options;
  return multistep("dpmSolver++3MSde", levels, { ...others, solverType, eta, order: 3 });
}

interface MultistepOptions extends ThirdOrderOptions {
  readonly solverType: (typeof solverTypes)[number];
  readonly order: 2 | 3;
  readonly eta: number;
}

function multistep(sampler: string, levels: readonly NoiseLevel[], options: MultistepOptions): SamplerStep[] {
  const { solverType, order, eta, finalOrders, halfCurvature = false } = options;
  checkEta(sampler, eta);
  checkFinalOrders(sampler, finalOrders);
  if (!solverTypes.includes(solverType)) {
    throw new Error(`${sampler}: solverType must be one of ${solverTypes.join(", ")}, got ${solverType}`);
  }
  const orders = ordersOf(levels, order, finalOrders);
  const lambdas = levels.map(lambdaOf);
  return intervalsOf(levels).map(({ from: s, to: t, index: i }) => {
    const predictions = history(x0, order - 1);
    const memory = predictions.slice(0, -1);
    if (t.sigma === 0) return { level: s, x: x0, memory };
    const [h, ...lastHs] = Array.from({ length: orders[i] }, (_, j) => lambdas[i - j + 1] - lambdas[i - j]);
    const g = (1 + eta) * h;
    const phi1 = -Math.expm1(-g);
    const phi2 = 1 - phi1 / g;
    const phi3 = 1 / 2 - phi2 / g;
    const ofSlope = solverType === "midpoint" && orders[i] === 2 ? phi1 / 2 : phi2;
    // diffusers' factor for the stochastic equation has another sign, which makes it one less.
    const ofCurvature = halfCurvature ? (eta > 0 ? phi3 - 1 : phi3) / 2 : phi3;
    const [slope, curvature] = derivatives(lastHs, predictions);
    const next = sum(
      [(t.sigma / s.sigma) * Math.exp(-eta * h), x],
      [t.alpha * phi1, x0],
      [t.alpha * ofSlope * h, slope],
      [t.alpha * ofCurvature * h ** 2, curvature],
      [t.sigma * Math.sqrt(-Math.expm1(-2 * eta * h)), z],
    );
    return { level: s, x: next, memory };
  });
}

/**
 * First and second derivative at the newest value of the polynomial through it and `distances.length` before it, by
 * divided differences.
 */
function derivatives(distances: readonly number[], [a, b, c]: readonly Combination[]): [Combination, Combination] {
  if (distances.length === 0) return [{}, {}];
  const [ab, bc] = distances;
  const first = sum([1 / ab, a], [-1 / ab, b]);
  if (bc === undefined) return [first, {}];
  const second = sum([1 / (ab + bc), first], [-1 / (ab + bc) / bc, b], [1 / (ab + bc) / bc, c]);
  return [sum([1, first], [ab, second]), sum([2, second])];
}
