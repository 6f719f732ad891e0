import { describe, expect, test } from "vitest";
import { ScheduleLevels } from "../process/noise-level.ts";
import { noiseSchedule } from "../process/noise-schedule.ts";
import { cosineBetaSchedule, linearBetaSchedule } from "../process/schedules.ts";
import { sectionedTimesteps } from "../process/timestep-spacing.ts";
import { rescaleZeroTerminalSnr } from "../process/zero-terminal-snr.ts";
import { factors, sum } from "./parts/combination.ts";
import { lagrangeIntegrals } from "./parts/lagrange.ts";
import { samplingPlan } from "./plan.ts";
import { samplerNames } from "./registry.ts";
import type { PlanOptions } from "./plan.ts";
import type { SamplerName } from "./registry.ts";

const betas = linearBetaSchedule(50, { betaEnd: 0.2 });
const levels = new ScheduleLevels(noiseSchedule(betas));
const plan = (options: Partial<PlanOptions>) => samplingPlan(levels, { sampler: "ddim", steps: 10, ...options });

describe("a plan", () => {
  test.each<[SamplerName, number]>([
    ["ddpm", 10],
    ["ddim", 10],
    ["pndm", 11],
    ["deis", 10],
    ["dpmSolver++2M", 10],
    ["dpmSolver++3M", 10],
    ["dpmSolver++2MSde", 10],
    ["uniPC", 10],
    ["euler", 10],
    ["eulerAncestral", 10],
    ["heun", 19],
    ["lms", 10],
    ["edm", 19],
  ])("of %s asks the network %i times in 10 steps", (sampler, evaluations) => {
    expect(plan({ sampler }).steps).toHaveLength(evaluations);
    expect(plan({ sampler }).visited).toBe(10);
    expect(samplerNames).toContain(sampler);
  });

  test("of annealedLangevin asks the network a hundred times at every level, and once more at the last", () => {
    expect(plan({ sampler: "annealedLangevin" }).steps).toHaveLength(1001);
    expect(
      plan({ sampler: "annealedLangevin", langevinSteps: 3, steps: 2 }).steps.map(({ level }) => level.timestep),
    ).toEqual([49, 49, 49, 24, 24, 24, 24]);
  });

  test("of predictorCorrector corrects after every step but the last", () => {
    expect(plan({ sampler: "predictorCorrector" }).steps).toHaveLength(19);
    expect(plan({ sampler: "predictorCorrector", correctorSteps: 0 }).steps).toHaveLength(10);
    expect(plan({ sampler: "predictorCorrector" })).toMatchObject({ isStochastic: true, numbers: 4 });
  });

  const others = samplerNames.filter((name) => name !== "annealedLangevin" && name !== "lcm");
  test.each(others)("of %s with one step ends at the clean images that the network sees", (sampler) => {
    const { steps, memory } = plan({ sampler, steps: 1 });
    expect(steps).toHaveLength(1);
    const [ofX, ofStart, ...rest] = factors(steps[0].x, memory);
    expect(Math.abs(ofX)).toBeLessThan(1e-12);
    expect(ofStart).toBeCloseTo(1, 12);
    expect(rest.every((factor) => factor === 0)).toBe(true);
  });

  test.each(samplerNames)("of %s leaves images as they are where strength is 0", (sampler) => {
    expect(plan({ sampler, strength: 0 })).toMatchObject({ steps: [], visited: 0, start: { alpha: 1, sigma: 0 } });
  });

  test("of pndm starts from noise too if more than every second timestep is visited", () => {
    const first = (steps: number) => plan({ sampler: "pndm", steps }).steps[0].level.timestep;
    expect([10, 25, 26, 40, 50].map(first)).toEqual([45, 48, 49, 49, 49]);
    expect(plan({ sampler: "pndm", steps: 40, timestepSpacing: "leading" }).steps[0].level.timestep).toBe(39);
  });

  test("of inpainting jumps in few steps too, unless it is told how far", () => {
    const evaluations = (steps: number, jumpLength?: number) =>
      plan({ sampler: "ddpm", steps, resamples: 3, jumpLength }).steps.length;
    expect(evaluations(1)).toBe(1);
    expect(evaluations(4)).toBeGreaterThan(4);
    expect(evaluations(10)).toBeGreaterThan(10);
    expect(evaluations(10, 10)).toBe(10);
    expect(evaluations(40)).toBe(evaluations(40, 10));
  });

  test.each(samplerNames)("of %s is finite from a timestep without signal", (sampler) => {
    const none = new ScheduleLevels(noiseSchedule(rescaleZeroTerminalSnr(betas)));
    for (const timestepSpacing of ["trailing", "linspace", "karras"] as const) {
      const { steps, memory } = samplingPlan(none, { sampler, steps: 12, timestepSpacing });
      const numbers = steps.flatMap(({ x, memory: kept = [] }) => [x, ...kept].flatMap((row) => factors(row, memory)));
      expect(numbers.every((value) => Number.isFinite(value) && Math.abs(value) < 1e3)).toBe(true);
    }
  });

  test.each<SamplerName>(["heun", "pndm"])(
    "of %s takes no half slopes from where hardly any signal is left",
    (sampler) => {
      const cosine = new ScheduleLevels(noiseSchedule(cosineBetaSchedule(1000)));
      expect(cosine.at(999).alpha).toBeLessThan(1e-4);
      const { steps, memory } = samplingPlan(cosine, { sampler, steps: 10, timestepSpacing: "trailing" });
      expect(steps.slice(0, 2).map(({ level }) => level.timestep)).toEqual([999, 899]);
      // Such a slope would multiply the difference of two predictions by hundreds.
      expect(Math.max(...steps.flatMap(({ x }) => factors(x, memory).map(Math.abs)))).toBeLessThan(10);
    },
  );

  test("visits the timesteps that it is given", () => {
    const timesteps = sectionedTimesteps(50, [5, 3]);
    const visited = plan({ sampler: "ddpm", timesteps }).steps.map(({ level }) => level.timestep);
    expect(visited).toEqual([49, 37, 25, 24, 18, 12, 6, 0]);
  });

  test("tells timesteps between others apart, and noise", () => {
    expect(plan({})).toMatchObject({ timestepType: "i32", isStochastic: false, memory: 0 });
    expect(plan({ timestepSpacing: "karras" })).toMatchObject({ timestepType: "f32" });
    expect(plan({ sampler: "edm" })).toMatchObject({ timestepType: "f32", isStochastic: true, memory: 1 });
    expect(plan({ sampler: "edm", sChurn: 0 })).toMatchObject({ isStochastic: false });
    expect(plan({ sampler: "ddpm" })).toMatchObject({ isStochastic: true });
    expect(plan({ sampler: "uniPC", order: 3 })).toMatchObject({ memory: 4 });
    expect(plan({ eta: 0.1 })).toMatchObject({ isStochastic: true });
  });

  test.each<[object, string]>([
    [{ sampler: "plms" }, `sampler: must be one of ${samplerNames.join(", ")}, got plms`],
    [{ steps: 0 }, "ddim: steps must be a whole number from 1 to 50, got 0"],
    [{ sampler: "ddpm", steps: 51 }, "ddpm: steps must be a whole number from 1 to 50, got 51"],
    [{ steps: 2.5 }, "ddim: steps must be a whole number from 1 to 50, got 2.5"],
    [{ steps: 0, timestepSpacing: "karras" }, "ddim: steps must be a whole number of at least 1, got 0"],
    [
      { timestepSpacing: "even" },
      "timestepSpacing: must be one of trailing, leading, linspace, quadratic, karras, uniform, got even",
    ],
    [{ sigmaMax: 10 }, "sigmaMin and sigmaMax: are for timestepSpacing karras, got trailing"],
    [{ timestepSpacing: "karras", sigmaMin: 2, sigmaMax: 1 }, "karras: sigmaMin must be below sigmaMax, got 2 and 1"],
    [
      { timestepSpacing: "karras", sigmaMin: 0, sigmaMax: 9 },
      `sigmaMin: must be from ${2 ** -24} to ${2 ** 24}, got 0`,
    ],
    [{ timestepSpacing: "karras", sigmaMax: -1 }, "sigmaMax: must be from"],
    [{ timestepSpacing: "karras", steps: 1, sigmaMax: -1 }, "sigmaMax: must be from"],
    [{ timestepSpacing: "karras", steps: 1, sigmaMax: NaN }, "sigmaMax: must be from"],
    [{ timestepSpacing: "karras", steps: 1, sigmaMin: -2 }, "sigmaMin: must be from"],
    [{ timestepSpacing: "karras", sigmaMin: 1e-300 }, "sigmaMin: must be from"],
    [{ timestepSpacing: "karras", sigmaMax: 1e300 }, "sigmaMax: must be from"],
    [{ timestepSpacing: "karras", sigmaMax: 0.001 }, "sigmaMax: must be above the least noise, 0.01"],
    [{ timestepSpacing: "karras", sigmaMin: 1000 }, "sigmaMin: must be below the most noise, 1"],
    [{ eta: 1.1 }, "ddim: eta must be from 0 to 1, got 1.1"],
    [{ sampler: "eulerAncestral", eta: -1 }, "eulerAncestral: eta must be from 0 to 1, got -1"],
    [
      { sampler: "euler", eta: 0 },
      "euler: has no eta, got 0; it is for ddim, dpmSolver++2MSde, dpmSolver++3MSde, eulerAncestral",
    ],
    [{ order: 2 }, "ddim: has no order, got 2; it is for deis, uniPC, lms"],
    [{ sampler: "uniPC", order: 4 }, "uniPC: order must be a whole number from 1 to 3, got 4"],
    [{ sampler: "deis", order: 0 }, "deis: order must be a whole number from 1 to 4, got 0"],
    [{ sampler: "lms", order: 1.5 }, "lms: order must be a whole number from 1 to 4, got 1.5"],
    [
      { sampler: "ddpm", varianceType: "fixed" },
      "ddpm: varianceType must be one of fixedSmall, fixedLarge, learnedRange, learned, got fixed",
    ],
    [{ stride: 0 }, "ddim: stride must be a whole number from 1 to 50, got 0"],
    [
      { sampler: "pndm", steps: 3, rungeKutta: true },
      "pndm: rungeKutta needs a model with timesteps and at least 4 steps, got 3 steps",
    ],
    [{ sampler: "uniPC", finalOrders: [0] }, "uniPC: finalOrders must be a list of whole numbers of at least 1, got 0"],
    [
      { sampler: "deis", finalOrders: 2 },
      "deis: finalOrders must be a list of whole numbers of at least 1, got 2, which is none",
    ],
    [
      { sampler: "uniPC", uncorrected: [-1] },
      "uniPC: uncorrected must be a list of whole numbers of at least 0, got -1",
    ],
    [{ sampler: "uniPC", bh: "bh3" }, "uniPC: bh must be one of bh1, bh2, got bh3"],
    [
      { sampler: "dpmSolver++2M", solverType: "euler" },
      "dpmSolver++2M: solverType must be one of midpoint, heun, got euler",
    ],
    [{ sampler: "lcm", timestepScaling: 0 }, "lcm: timestepScaling must be a number above 0, got 0"],
    [{ startDeviation: 0 }, "ddim: startDeviation must be a number above 0, got 0"],
    [{ clipRange: 0 }, "clipRange: must be a number above 0, got 0"],
    [{ clipRange: 1, thresholdingRatio: 0.9 }, "thresholdingRatio: is instead of a clipRange, got both"],
    [{ thresholdingRatio: 2 }, "thresholdingRatio: must be from 0 to 1, got 2"],
    [{ thresholdingRatio: 0.9, thresholdingMax: 0 }, "thresholdingMax: must be a number above 0, got 0"],
    [{ thresholdingMax: 2 }, "thresholdingMax: is for a thresholdingRatio, got 2 without"],
    [{ levels: [] }, "ddim: levels must name one to visit and one to arrive at, got 0"],
    [
      {
        levels: [
          { timestep: 9, alpha: 0.5, sigma: 0 },
          { timestep: 0, alpha: 1, sigma: 0 },
        ],
      },
      "ddim: levels must have a timestep, alpha from 0 to 1 and sigma above 0, or 0 in the last, got timestep 9, alpha 0.5, sigma 0 at 0",
    ],
    [{ sampler: "heun", sChurn: 1 }, "heun: has no sChurn, got 1; it is for edm"],
    [{ sampler: "edm", sNoise: -1 }, "edm: sNoise must be at least 0, got -1"],
    [{ sampler: "predictorCorrector", snr: 0 }, "predictorCorrector: snr must be above 0 and at most 1, got 0"],
    [
      { sampler: "predictorCorrector", correctorSteps: -1 },
      "correctorSteps must be a whole number of at least 0, got -1",
    ],
    [{ sampler: "annealedLangevin", langevinSteps: 0 }, "langevinSteps must be a whole number of at least 1, got 0"],
    [{ sampler: "annealedLangevin", stepSize: 2 }, "annealedLangevin: stepSize must be above 0 and below 2, got 2"],
    [{ timesteps: [] }, "ddim: timesteps must name at least one, got []"],
    [{ timesteps: [50] }, "ddim: timesteps must be whole numbers that fall from 49 at most to 0 at least, got 50 at 0"],
    [{ timesteps: [9, 9] }, "got 9 at 1"],
    [{ timesteps: [9, 0.5] }, "got 0.5 at 1"],
  ])("refuses %o in one line", (options, message) => {
    expect(() => plan(options)).toThrow(message);
  });
});

describe("the parts of samplers", () => {
  test("sums add factors by name", () => {
    const mixed = sum([2, { x: 1, memory: [3] }], [-1, { x: 0.5, x0: 4, predicted: -7, z: 1, memory: [0, 5] }]);
    expect(factors(mixed, 3)).toEqual([1.5, -4, 7, -1, 6, -5, 0]);
  });

  test("integrals of polynomials through points are exact", () => {
    // The weights of Simpson's rule, and of Adams and Bashforth's of order 3.
    const simpson = lagrangeIntegrals([0, 0.5, 1], 0, 1);
    const adams = lagrangeIntegrals([0, -1, -2], 0, 1);
    [1 / 6, 4 / 6, 1 / 6].forEach((weight, i) => expect(simpson[i]).toBeCloseTo(weight, 14));
    [23 / 12, -16 / 12, 5 / 12].forEach((weight, i) => expect(adams[i]).toBeCloseTo(weight, 14));
    // The integral of u e^u from 0 to 3, with u known at 0 and 1.
    const [, ofSlope] = lagrangeIntegrals([0, 1], 0, 3, Math.exp);
    expect(ofSlope).toBeCloseTo(2 * Math.exp(3) + 1, 11);
  });
});
