import { lambdaOf } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { history, sum, x, x0, z } from "./parts/combination.ts";
import type { Combination } from "./parts/combination.ts";
import { checkEta, intervalsOf, ordersOf } from "./parts/sampler.ts";
import type { EtaOptions, Interval, SamplerStep } from "./parts/sampler.ts";

/**
 * DPM-Solver++(2M), Algorithm 2 of Lu et al. (2022, 2211.01095). Order 2. With h = lambda_t - lambda_s for the steps'
 * lambda = log(alpha / sigma), and r = (the last h) / h,
 *
 *     x_t = (sigma_t / sigma_s) x - alpha_t (e^-h - 1) ((1 + 1 / (2r)) x_0 - 1 / (2r) x_0')
 *
 * with the predicted x_0 and the last one, x_0'.
 */
export function dpmSolver2M(levels: readonly NoiseLevel[]): SamplerStep[] {
  return dpmSolver2MSde(levels, { eta: 0 });
}

/**
 * SDE-DPM-Solver++(2M), Lu et al. (2022, 2211.01095): the same for the stochastic equation,
 *
 *     x_t = (sigma_t / sigma_s) e^(-eta h) x - alpha_t (e^-g - 1) ((1 + 1 / (2r)) x_0 - 1 / (2r) x_0')
 *           + sigma_t sqrt(1 - e^(-2 eta h)) z,   g = (1 + eta) h
 *
 * The paper's is eta = 1; k-diffusion's `sample_dpmpp_2m_sde` has others, down to eta = 0 without noise.
 */
export function dpmSolver2MSde(levels: readonly NoiseLevel[], { eta = 1 }: EtaOptions): SamplerStep[] {
  checkEta("dpmSolver++2MSde", eta);
  const orders = ordersOf(levels, 2);
  return stepsOf(levels, 2, ({ from: s, to: t, index: i }, [h, lastH], [x0, before]) => {
    const g = (1 + eta) * h;
    const ahead = orders[i] > 1 ? h / (2 * lastH) : 0;
    return sum(
      [(t.sigma / s.sigma) * Math.exp(-eta * h), x],
      [-t.alpha * Math.expm1(-g) * (1 + ahead), x0],
      [t.alpha * Math.expm1(-g) * ahead, before],
      [t.sigma * Math.sqrt(-Math.expm1(-2 * eta * h)), z],
    );
  });
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
export function dpmSolver3M(levels: readonly NoiseLevel[]): SamplerStep[] {
  const orders = ordersOf(levels, 3);
  return stepsOf(levels, 3, ({ from: s, to: t, index: i }, [h, ...lastHs], values) => {
    const phi1 = -Math.expm1(-h);
    const phi2 = 1 - phi1 / h;
    const phi3 = 1 / 2 - phi2 / h;
    const [slope, curvature] = derivatives(lastHs.slice(0, orders[i] - 1), values);
    return sum(
      [t.sigma / s.sigma, x],
      [t.alpha * phi1, x0],
      [t.alpha * phi2 * h, slope],
      [t.alpha * phi3 * h ** 2, curvature],
    );
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

/**
 * @param next from an interval, its and the last intervals' lengths in lambda, and as many predictions of x_0 as
 *     `count`, the newest first, makes the next images; where no noise is left they are the predicted x_0
 */
function stepsOf(
  levels: readonly NoiseLevel[],
  count: number,
  next: (interval: Interval, lengths: readonly number[], predictions: readonly Combination[]) => Combination,
): SamplerStep[] {
  const lambdas = levels.map(lambdaOf);
  return intervalsOf(levels).map((interval) => {
    const { from, to, index } = interval;
    const predictions = history(x0, count - 1);
    const lengths = Array.from({ length: index + 1 }, (_, j) => lambdas[index - j + 1] - lambdas[index - j]);
    const images = to.sigma === 0 ? x0 : next(interval, lengths, predictions);
    return { level: from, x: images, memory: predictions.slice(0, -1) };
  });
}
