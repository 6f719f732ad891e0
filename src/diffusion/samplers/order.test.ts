import { describe, expect, test } from "vitest";
import { GaussianMixture } from "../../../test/support/gaussian-mixture.ts";
import { sampleOnHost } from "../../../test/support/host-sampling.ts";
import { ContinuousLevels } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { ddim } from "./ddim.ts";
import { deis } from "./multistep/deis.ts";
import { dpmSolver2M, dpmSolver2MSde, dpmSolver3M, dpmSolver3MSde } from "./multistep/dpm-solver.ts";
import { edm } from "./edm.ts";
import { eulerAncestral } from "./euler-ancestral.ts";
import { euler } from "./euler.ts";
import { heun } from "./heun.ts";
import { lms } from "./multistep/lms.ts";
import { pndm } from "./multistep/pndm.ts";
import type { Sampler } from "./parts/sampler.ts";
import type { SamplerOptions } from "./registry.ts";
import { uniPC } from "./multistep/uni-pc.ts";

const data = new GaussianMixture([
  { weight: 0.3, mean: -1, deviation: 0.3 },
  { weight: 0.7, mean: 0.8, deviation: 0.4 },
]);
// The first steps of a multistep method are of lower order; from this much noise their errors do not count.
const [MOST, LEAST] = [1000, 0.05];
const STARTS = [-1.7, -0.6, 0.2, 0.9, 1.5];

const known = new ContinuousLevels([LEAST, MOST]);
const levelWithRho = (rho: number): NoiseLevel => known.withRho(rho);

/** Levels at equal distances in log(rho), and one ahead of Euler's: the end has noise left, so no order is lowered. */
const levels = (steps: number): NoiseLevel[] =>
  Array.from({ length: steps + 1 }, (_, i) => levelWithRho(MOST * (LEAST / MOST) ** (i / steps)));

/** dX / d rho = epsilon by Runge and Kutta's method of order 4, in steps of log(rho). */
function flow(start: number): number {
  const steps = 4000;
  const length = Math.log(LEAST / MOST) / steps;
  const slope = (X: number, logRho: number): number => {
    const level = levelWithRho(Math.exp(logRho));
    return X - data.xStart(X * level.alpha, level);
  };
  let X = start / levelWithRho(MOST).alpha;
  for (let i = 0; i < steps; i++) {
    const at = Math.log(MOST) + i * length;
    const k1 = slope(X, at);
    const k2 = slope(X + (length / 2) * k1, at + length / 2);
    const k3 = slope(X + (length / 2) * k2, at + length / 2);
    const k4 = slope(X + length * k3, at + length);
    X += (length / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  return X * levelWithRho(LEAST).alpha;
}

const truth = STARTS.map(flow);

function errorOf(sampler: Sampler<SamplerOptions>, options: SamplerOptions, steps: number): number {
  const plan = sampler(levels(steps), options, known);
  const errors = STARTS.map((start, i) => Math.abs((sampleOnHost(plan, denoise, start).at(-1) ?? NaN) - truth[i]));
  return Math.max(...errors);
}

const denoise = (x: number, level: NoiseLevel): number => data.xStart(x, level);

describe("solvers of the probability flow converge with their order", () => {
  test.each<readonly [name: string, order: number, sampler: Sampler<SamplerOptions>, options: SamplerOptions]>([
    ["ddim", 1, ddim, {}],
    ["euler", 1, euler, {}],
    ["eulerAncestral without noise", 1, eulerAncestral, { eta: 0 }],
    ["heun", 2, heun, {}],
    ["edm without churn", 2, edm, { sChurn: 0 }],
    ["pndm", 2, pndm, {}],
    ["dpmSolver++2M", 2, dpmSolver2M, {}],
    ["dpmSolver++2MSde without noise", 2, dpmSolver2MSde, { eta: 0 }],
    ["dpmSolver++2M of exact slopes", 2, dpmSolver2M, { solverType: "heun" }],
    ["dpmSolver++3M", 3, dpmSolver3M, {}],
    ["dpmSolver++3M of half the curvature", 2, dpmSolver3M, { halfCurvature: true }],
    ["dpmSolver++3MSde without noise", 3, dpmSolver3MSde, { eta: 0 }],
    ["deis", 1, deis, { order: 1 }],
    ["deis", 2, deis, { order: 2 }],
    ["deis", 3, deis, { order: 3 }],
    ["lms", 1, lms, { order: 1 }],
    ["lms", 2, lms, { order: 2 }],
    ["lms", 3, lms, { order: 3 }],
    ["lms", 4, lms, { order: 4 }],
    // The corrector is worth one order more.
    ["uniPC 1", 2, uniPC, { order: 1 }],
    ["uniPC 2", 3, uniPC, { order: 2 }],
    ["uniPC 3", 4, uniPC, { order: 3 }],
    ["uniPC of bh1", 3, uniPC, { bh: "bh1" }],
    ["uniPC of the noise", 3, uniPC, { predictsX0: false }],
    ["uniPC of its predictor alone", 2, uniPC, { uncorrected: Array.from({ length: 640 }, (_, i) => i) }],
  ])("%s: %i", (_, order, sampler, options) => {
    const [coarse, fine] = [320, 640].map((steps) => errorOf(sampler, options, steps));
    expect(Math.abs(Math.log2(coarse / fine) - order)).toBeLessThan(0.12);
  });

  test("deis of order 4: 4, as far as its larger errors show", () => {
    const [coarse, fine] = [320, 1280].map((steps) => errorOf(deis, { order: 4 }, steps));
    expect(Math.log2(coarse / fine) / 2).toBeGreaterThan(3.5);
  });
});
