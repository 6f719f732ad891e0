import { rhoOf } from "../../process/noise-level.ts";
import type { NoiseLevel } from "../../process/noise-level.ts";
import { epsilon, history, sum, unscaled } from "../parts/combination.ts";
import { lagrangeIntegrals } from "../parts/lagrange.ts";
import { checkFinalOrders, checkOrder, intervalsOf, ordersOf } from "../parts/sampler.ts";
import type { FinalOrdersOptions, OrderOptions, SamplerStep } from "../parts/sampler.ts";

/**
 * Diffusion exponential integrator sampler, Zhang & Chen (2022, 2204.13902), Algorithm 1 with polynomials in
 * log(rho), as diffusers has it: for X = x / alpha and rho = sigma / alpha,
 *
 *     X' = X + integral of P(log rho) d rho
 *
 * where the polynomial P takes the last `order` epsilons at their levels. Order 1 is `ddim` without noise.
 */
export function deis(levels: readonly NoiseLevel[], options: OrderOptions & FinalOrdersOptions): SamplerStep[] {
  const { order = 3, finalOrders } = options;
  checkOrder("deis", order, 4);
  checkFinalOrders("deis", finalOrders);
  const orders = ordersOf(levels, order, finalOrders);
  const logRhos = levels.map((level) => Math.log(rhoOf(level)));
  return intervalsOf(levels).map(({ from, to, index: i }) => {
    const epsilons = history(epsilon(from), order - 1);
    // The integral of a constant, which also holds where rho becomes 0.
    let weights = [rhoOf(to) - rhoOf(from)];
    if (orders[i] > 1) {
      const nodes = Array.from({ length: orders[i] }, (_, j) => logRhos[i - j]);
      // d rho = rho d log(rho)
      weights = lagrangeIntegrals(nodes, logRhos[i], logRhos[i + 1], Math.exp);
    }
    const integral = sum(...weights.map((k, j) => [k, epsilons[j]] as const));
    return { level: from, x: sum([to.alpha, unscaled(from)], [to.alpha, integral]), memory: epsilons.slice(0, -1) };
  });
}
