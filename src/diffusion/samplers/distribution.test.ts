import { describe, expect, test } from "vitest";
import { GaussianMixture, kolmogorovSmirnov, normalDistribution } from "../../../test/support/gaussian-mixture.ts";
import { hostSamplerNames, sampleOnHost } from "../../../test/support/host-sampling.ts";
import { Random } from "../../../test/support/random.ts";
import { ScheduleLevels } from "../process/noise-level.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { noiseSchedule } from "../process/noise-schedule.ts";
import { linearBetaSchedule } from "../process/schedules.ts";
import { samplingPlan } from "./plan.ts";
import type { PlanOptions } from "./plan.ts";

const data = new GaussianMixture([
  { weight: 0.3, mean: -0.7, deviation: 0.15 },
  { weight: 0.7, mean: 0.4, deviation: 0.2 },
]);
const denoise = (x: number, level: NoiseLevel): number => data.xStart(x, level);
const levels = new ScheduleLevels(noiseSchedule(linearBetaSchedule(1000)));

function expectData(samples: readonly number[], tolerances: { readonly share: number; readonly moment: number }): void {
  const mean = samples.reduce((a, b) => a + b) / samples.length;
  const variance = samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length;
  expect(kolmogorovSmirnov(samples, (x) => data.distribution(x))).toBeLessThan(tolerances.share);
  expect(Math.abs(mean - data.mean)).toBeLessThan(tolerances.moment);
  expect(Math.abs(Math.sqrt(variance) - data.deviation)).toBeLessThan(tolerances.moment);
}

type Case = readonly [sampler: PlanOptions["sampler"], steps: number, options: Partial<PlanOptions>];

const deterministic: readonly Case[] = [
  ["ddim", 200, {}],
  ["euler", 200, {}],
  ["pndm", 50, {}],
  ["lms", 50, {}],
  ["heun", 30, {}],
  ["deis", 30, { timestepSpacing: "karras" }],
  ["dpmSolver++2M", 30, { timestepSpacing: "karras" }],
  ["dpmSolver++3M", 30, { timestepSpacing: "karras" }],
  ["uniPC", 30, { timestepSpacing: "karras" }],
];
const stochastic: readonly Case[] = [
  ["ddpm", 250, {}],
  ["ddpm", 250, { varianceType: "fixedLarge", timestepSpacing: "linspace" }],
  ["ddim", 250, { eta: 0.5 }],
  ["dpmSolver++2MSde", 60, { timestepSpacing: "karras" }],
  ["dpmSolver++3MSde", 60, { timestepSpacing: "karras" }],
  ["eulerAncestral", 250, {}],
  ["edm", 60, { sNoise: 1 }],
];

describe("with the mixture's own network", () => {
  // Evenly spread starts, so that what differs from the data is the sampler's own error.
  const starts = Array.from({ length: 400 }, (_, i) => quantile((i + 0.5) / 400));

  test.each(deterministic)("%s of %i steps and %o takes normal numbers to the data", (sampler, steps, options) => {
    const plan = samplingPlan(levels, { sampler, steps, ...options });
    expect(plan.isStochastic).toBe(false);
    const samples = starts.map((start) => sampleOnHost(plan.steps, denoise, start).at(-1) ?? NaN);
    expectData(samples, { share: 0.015, moment: 0.01 });
  });

  test.each(stochastic)("%s of %i steps and %o draws from the data", (sampler, steps, options) => {
    const random = new Random(5);
    const plan = samplingPlan(levels, { sampler, steps, ...options });
    expect(plan.isStochastic).toBe(true);
    const samples = Array.from({ length: 1500 }, () => {
      return sampleOnHost(plan.steps, denoise, random.normal(), () => random.normal()).at(-1) ?? NaN;
    });
    // One in a thousand right samplers is further off than 1.95 / sqrt(n), or than 3.3 standard errors.
    expectData(samples, { share: 1.95 / Math.sqrt(1500), moment: (3.3 * data.deviation) / Math.sqrt(1500) });
  });

  test("every sampler is here", () => {
    const tested = [...deterministic, ...stochastic].map(([sampler]) => sampler);
    expect(hostSamplerNames.filter((name) => !tested.includes(name))).toEqual([]);
  });
});

/** The number below which a share of normal numbers lies. */
function quantile(share: number): number {
  let [low, high] = [-6, 6];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (normalDistribution(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
