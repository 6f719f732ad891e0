import { rhoOf } from "../../process/noise-level.ts";
import type { NoiseLevel } from "../../process/noise-level.ts";
import { epsilon, history, sum, unscaled } from "../parts/combination.ts";
import { lagrangeIntegrals } from "../parts/lagrange.ts";
import { checkOrder, intervalsOf } from "../parts/sampler.ts";
import type { OrderOptions, SamplerStep } from "../parts/sampler.ts";

/**
 * The linear multistep method of k-diffusion (`sample_lms`, Crowson 2022), which is that of Adams and Bashforth for
 * uneven steps: for X = x / alpha and rho = sigma / alpha,
 *
 *     X' = X + integral of P(rho) d rho
 *
 * where the polynomial P takes the last `order` epsilons at their rhos. The first steps look back on what there is.
 */
export function lms(levels: readonly NoiseLevel[], { order = 4 }: OrderOptions): SamplerStep[] {
  checkOrder("lms", order, 4);
  const rhos = levels.map(rhoOf);
  return intervalsOf(levels).map(({ from, to, index: i }) => {
    const known = Math.min(order, i + 1);
    const epsilons = history(epsilon(from), order - 1);
    const nodes = Array.from({ length: known }, (_, j) => rhos[i - j]);
    const integral = sum(...lagrangeIntegrals(nodes, rhos[i], rhos[i + 1]).map((k, j) => [k, epsilons[j]] as const));
    return { level: from, x: sum([to.alpha, unscaled(from)], [to.alpha, integral]), memory: epsilons.slice(0, -1) };
  });
}
