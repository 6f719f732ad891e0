import { lambdaOf } from "../../process/noise-level.ts";
import type { NoiseLevel } from "../../process/noise-level.ts";
import { epsilon, memory, sum, x, x0 } from "../parts/combination.ts";
import type { Combination } from "../parts/combination.ts";
import { checkFinalOrders, checkOrder, checkWholeNumbers, ordersOf } from "../parts/sampler.ts";
import type { FinalOrdersOptions, OrderOptions, SamplerStep } from "../parts/sampler.ts";

export interface UniPCOptions extends OrderOptions, FinalOrdersOptions {
  /** B(h) of `uniPC`: e^h - 1 (`bh2`, the default), or h (`bh1`). */
  readonly bh?: "bh1" | "bh2";
  /** Whether `uniPC` predicts the clean images (the default) or the noise. */
  readonly predictsX0?: boolean;
  /** Steps of `uniPC` whose arrival is not corrected, counted from 0; default none. */
  readonly uncorrected?: readonly number[];
}

/**
 * UniPC, Zhao et al. (2023, 2302.04867), which predicts x_0, with B(h) = e^h - 1 ("bh2"). Every evaluation serves
 * twice: it corrects the images that it was made at (UniC, one order more, free), and from these predicts the next
 * (UniP). Both, for h = lambda_t - lambda_s and differences D of earlier x_0 to that at s,
 *
 *     x_t = (sigma_t / sigma_s) x_s - alpha_t (e^-h - 1) x_0 - alpha_t B(-h) (sum of rho_m D_m / r_m)
 *
 * where the corrector's sum includes the new evaluation, with r = 1. For the noise instead of x_0, alpha and sigma change
 * places, and h its sign. Memory: the last corrected images, then earlier x_0.
 */
export function uniPC(levels: readonly NoiseLevel[], options: UniPCOptions): SamplerStep[] {
  const { order = 2, finalOrders, bh = "bh2", predictsX0 = true, uncorrected = [] } = options;
  checkOrder("uniPC", order, 3);
  checkFinalOrders("uniPC", finalOrders);
  checkWholeNumbers("uniPC", "uncorrected", uncorrected, 0);
  if (bh !== "bh1" && bh !== "bh2") throw new Error(`uniPC: bh must be one of bh1, bh2, got ${String(bh)}`);
  const orders = ordersOf(levels, order, finalOrders);
  const lambdas = levels.map(lambdaOf);
  const earlier = Array.from({ length: order }, (_, i) => memory(1 + i));

  const move = (
    i: number,
    start: Combination,
    predictions: readonly Combination[],
    news?: Combination,
  ): Combination => {
    const [s, t] = [levels[i], levels[i + 1]];
    const h = lambdas[i + 1] - lambdas[i];
    const ratios = Array.from({ length: orders[i] - 1 }, (_, m) => (lambdas[i - m - 1] - lambdas[i]) / h);
    const differences = ratios.map((r, m) => sum([1 / r, predictions[m + 1]], [-1 / r, predictions[0]]));
    if (news) {
      ratios.push(1);
      differences.push(sum([1, news], [-1, predictions[0]]));
    }
    const signed = predictsX0 ? -h : h;
    const [kept, factor] = predictsX0 ? [t.sigma / s.sigma, t.alpha] : [t.alpha / s.alpha, t.sigma];
    const B = bh === "bh1" ? signed : Math.expm1(signed);
    const weights = weightsOf(signed, B, ratios);
    const mixed = sum(...differences.map((D, m) => [weights[m], D] as const));
    return sum([kept, start], [-factor * Math.expm1(signed), predictions[0]], [-factor * B, mixed]);
  };

  return orders.map((_, i) => {
    const prediction = predictsX0 ? x0 : epsilon(levels[i]);
    const isCorrected = i > 0 && !uncorrected.includes(i - 1);
    const here = isCorrected ? move(i - 1, memory(0), earlier, prediction) : x;
    const next = levels[i + 1].sigma === 0 ? x0 : move(i, here, [prediction, ...earlier]);
    return { level: levels[i], x: next, memory: [here, prediction, ...earlier.slice(0, -1)] };
  });
}

/** Solves sum over m of rho_m r_m^(k-1) = b_k for k = 1, 2, ..., the conditions for that order. */
function weightsOf(h: number, B: number, ratios: readonly number[]): readonly number[] {
  // The paper's choice for one unknown, in place of b_1: it is as good and independent of h.
  if (ratios.length === 1) return [1 / 2];
  const b: number[] = [];
  let [phi, factorial] = [Math.expm1(h) / h - 1, 1];
  for (let k = 1; k <= ratios.length; k++) {
    b.push((phi * factorial) / B);
    factorial *= k + 1;
    phi = phi / h - 1 / factorial;
  }
  return solve(
    b.map((_, k) => ratios.map((r) => r ** k)),
    b,
  );
}

/** Gauss's elimination with row exchange, for a handful of unknowns. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  const size = rows.length;
  for (let k = 0; k < size; k++) {
    const largest = rows.reduce((best, row, i) => (i > k && Math.abs(row[k]) > Math.abs(rows[best][k]) ? i : best), k);
    [rows[k], rows[largest]] = [rows[largest], rows[k]];
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = rows[i][k] / rows[k][k];
      rows[i] = rows[i].map((value, j) => value - factor * rows[k][j]);
    }
  }
  return rows.map((row, i) => row[size] / row[i]);
}
