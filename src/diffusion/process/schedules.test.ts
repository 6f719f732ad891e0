import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { samplingPlan } from "../samplers/plan.ts";
import { samplerNames } from "../samplers/registry.ts";
import { ScheduleLevels } from "./noise-level.ts";
import { noiseSchedule } from "./noise-schedule.ts";
import type { NoiseSchedule } from "./noise-schedule.ts";
import {
  betaSchedule,
  betaScheduleNames,
  cosineBetaSchedule,
  laplaceBetaSchedule,
  linearBetaSchedule,
  quadraticBetaSchedule,
  scaledLinearBetaSchedule,
  sigmoidBetaSchedule,
  sigmoidJabriBetaSchedule,
  squaredcosCapV2BetaSchedule,
} from "./schedules.ts";
import type { BetaSchedule } from "./schedules.ts";
import { terminalSignalWarning } from "./terminal-signal.ts";
import { rescaleZeroTerminalSnr } from "./zero-terminal-snr.ts";

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/fixtures/parity/${name}.json`, import.meta.url), "utf8"));

describe("the beta schedules", () => {
  const recorded = fixture("schedules") as Record<`${BetaSchedule}_beta_schedule`, Record<string, number[]>>;

  test.each(["linear", "cosine", "quadratic", "sigmoid"] as const)("%s agrees with PyTorch to 1e-6", (name) => {
    const byTimesteps = Object.entries(recorded[`${name}_beta_schedule`]);
    expect(byTimesteps).toHaveLength(3);
    for (const [timesteps, betas] of byTimesteps) {
      expect(largestDifference(betaSchedule(name, Number(timesteps)), betas)).toBeLessThan(1e-6);
    }
  });

  test("take their range from options", () => {
    const range = { betaStart: 0.01, betaEnd: 0.25 };
    expect([...linearBetaSchedule(3, range)]).toEqual([0.01, 0.13, 0.25]);
    expect(largestDifference(quadraticBetaSchedule(3, range), [0.01, 0.09, 0.25])).toBeLessThan(1e-15);
    expect(largestDifference(sigmoidBetaSchedule(3, range), [0.0105934, 0.13, 0.2494066])).toBeLessThan(1e-7);
  });

  test("sigmoidJabri leaves of the image what denoising-diffusion-pytorch does", () => {
    const { alphasCumprod } = noiseSchedule(sigmoidJabriBetaSchedule(1000));
    expect([499, 749, 899].map((t) => alphasCumprod[t].toFixed(3))).toEqual(["0.500", "0.149", "0.039"]);
    expect(betaSchedule("sigmoidJabri", 1000)[999]).toBe(0.999);
    // The logistic function from 0 to 3, with its ends at 1 and 0, and steeper by tau.
    const abar = noiseSchedule(sigmoidJabriBetaSchedule(4, { start: 0, end: 3, tau: 0.5 })).alphasCumprod;
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const expected = [1.5, 3, 4.5].map((x) => (sigmoid(6) - sigmoid(x)) / (sigmoid(6) - 0.5));
    expect(largestDifference(abar.slice(0, 3), expected)).toBeLessThan(1e-12);
  });

  test("squaredcosCapV2 is cosine with the paper's clipping", () => {
    const [paper, article] = [squaredcosCapV2BetaSchedule(1000), cosineBetaSchedule(1000)];
    const isClipped = (beta: number) => beta < 1.1e-4 || beta > 0.1;
    const [ours, theirs] = [paper, article].map((betas) => betas.filter((_, t) => !isClipped(article[t])));
    expect(ours.length).toBeGreaterThan(900);
    // The article's is in float32.
    expect(largestDifference(ours, theirs)).toBeLessThan(1e-5);
    expect(paper[999]).toBe(0.999);
    expect(article[999]).toBe(0.9999);
    // abar_1 of the paper's formula; the article clips the first betas to 1e-4.
    expect(paper[0]).toBeCloseTo(4.128e-5, 7);
    expect(article[0]).toBe(1e-4);
  });

  test.each(["linear", "quadratic", "sigmoid", "scaledLinear"] as const)(
    "%s, scaled, takes as much of the image in any number of timesteps",
    (name) => {
      const left = (timesteps: number) =>
        Math.log(noiseSchedule(betaSchedule(name, timesteps, { scale: true })).alphasCumprod[timesteps - 1]);
      expect(betaSchedule(name, 1000, { scale: true })).toEqual(betaSchedule(name, 1000));
      for (const timesteps of [100, 300, 4000, 20000]) expect(left(timesteps) / left(1000)).toBeCloseTo(1, 0);
      expect(betaSchedule(name, 250, { scale: true })[249]).toBeCloseTo(4 * betaSchedule(name, 250)[249], 12);
    },
  );

  test("scale only what has a range, and only to betas below 1", () => {
    expect(() => betaSchedule("cosine", 100, { scale: true })).toThrow(
      "betaSchedule: only linear, quadratic, sigmoid, scaledLinear can be scaled, got cosine",
    );
    expect(() => linearBetaSchedule(20, { scale: true })).toThrow(
      "linearBetaSchedule: with scale, needs at least 21 timesteps, or betas reach 1, got 20",
    );
    expect(linearBetaSchedule(21, { scale: true })[20]).toBeCloseTo(20 / 21, 12);
  });

  test("scaledLinear has the range of latent diffusion", () => {
    const betas = scaledLinearBetaSchedule(1000);
    expect([betas[0], betas[999]].map((beta) => beta.toFixed(10))).toEqual(["0.0008500000", "0.0120000000"]);
    expect(Math.sqrt(betas[400]) - Math.sqrt(betas[399])).toBeCloseTo(
      (Math.sqrt(0.012) - Math.sqrt(0.00085)) / 999,
      12,
    );
  });

  test.each([
    [0, 0.5],
    [1, 0.25],
  ])("laplace spreads log SNR by the distribution of Laplace(%f, %f)", (mu, b) => {
    const { alphasCumprod } = noiseSchedule(laplaceBetaSchedule(200, { mu, b }));
    const shares = [...alphasCumprod].map((abar) => {
      const place = (Math.log(abar / (1 - abar)) - mu) / b;
      return place < 0 ? 1 - Math.exp(place) / 2 : Math.exp(-place) / 2;
    });
    // The last beta is kept below 1.
    const expected = shares.map((_, t) => (t + 1) / 200);
    expect(largestDifference(shares.slice(0, 199), expected.slice(0, 199))).toBeLessThan(1e-9);
    expect(laplaceBetaSchedule(200, { mu, b })[199]).toBe(0.999);
  });

  test("of one timestep start where longer ones do", () => {
    expect([...linearBetaSchedule(1)]).toEqual([1e-4]);
    expect([...cosineBetaSchedule(1)]).toEqual([0.9999]);
  });

  test("need a whole number of timesteps and a known name", () => {
    for (const timesteps of [0, -1, 2.5, Number.NaN]) {
      expect(() => cosineBetaSchedule(timesteps)).toThrow(
        `cosineBetaSchedule: timesteps must be a whole number of at least 1, got ${timesteps}`,
      );
    }
    expect(() => betaSchedule("cubic" as BetaSchedule, 10)).toThrow(
      "betaSchedule: must be one of linear, cosine, squaredcosCapV2, quadratic, sigmoid, sigmoidJabri, scaledLinear, laplace, got cubic",
    );
    expect(() => cosineBetaSchedule(10, { s: -1 })).toThrow("cosineBetaSchedule: s must be at least 0, got -1");
    expect(() => squaredcosCapV2BetaSchedule(10, { s: NaN })).toThrow("s must be at least 0, got NaN");
    expect(() => sigmoidJabriBetaSchedule(10, { start: 3 })).toThrow("start must be below end, got 3 and 3");
    expect(() => sigmoidJabriBetaSchedule(10, { tau: 0 })).toThrow("tau must be above 0, got 0");
    expect(() => laplaceBetaSchedule(10, { b: 0 })).toThrow("laplaceBetaSchedule: b must be above 0, got 0");
    expect(() => laplaceBetaSchedule(10, { mu: NaN })).toThrow("laplaceBetaSchedule: mu must be finite, got NaN");
  });

  test("by name are those with the usual range", () => {
    expect(betaScheduleNames).toEqual(
      "linear cosine squaredcosCapV2 quadratic sigmoid sigmoidJabri scaledLinear laplace".split(" "),
    );
    expect(betaSchedule("scaledLinear", 5)).toEqual(scaledLinearBetaSchedule(5));
    expect(betaSchedule("laplace", 5)).toEqual(laplaceBetaSchedule(5));
  });
});

describe("what follows from the betas", () => {
  test("agrees with PyTorch to 1e-6", () => {
    const recorded = fixture("linear300") as Record<string, number[]>;
    const schedule = noiseSchedule(linearBetaSchedule(300));
    const ours: Readonly<Record<string, keyof NoiseSchedule>> = {
      betas: "betas",
      alphas_cumprod: "alphasCumprod",
      alphas_cumprod_prev: "alphasCumprodPrev",
      sqrt_recip_alphas: "sqrtRecipAlphas",
      sqrt_alphas_cumprod: "sqrtAlphasCumprod",
      sqrt_one_minus_alphas_cumprod: "sqrtOneMinusAlphasCumprod",
      posterior_variance: "posteriorVariance",
    };
    expect(Object.keys(recorded).toSorted()).toEqual(Object.keys(ours).toSorted());
    for (const [name, values] of Object.entries(recorded)) {
      expect(largestDifference(schedule[ours[name]], values), name).toBeLessThan(1e-6);
    }
  });

  test("is exact for two timesteps", () => {
    const s = noiseSchedule([0.5, 0.75]);
    expect([...s.alphasCumprod]).toEqual([0.5, 0.125]);
    expect([...s.alphasCumprodPrev]).toEqual([1, 0.5]);
    expect([...s.posteriorVariance]).toEqual([0, (0.75 * 0.5) / 0.875]);
    expect([...s.posteriorLogVarianceClipped]).toEqual(new Array(2).fill(Math.log(0.375 / 0.875)));
    expect(s.posteriorMeanCoef1[0]).toBe(1);
    expect(s.posteriorMeanCoef2[0]).toBe(0);
    expect(s.posteriorMeanCoef1[1]).toBeCloseTo((0.75 * Math.sqrt(0.5)) / 0.875, 12);
    expect(s.posteriorMeanCoef2[1]).toBeCloseTo((0.5 * Math.sqrt(0.25)) / 0.875, 12);
    expect(s.sqrtRecipAlphasCumprod[1]).toBeCloseTo(Math.sqrt(8), 12);
    expect(s.sqrtRecipm1AlphasCumprod[1]).toBeCloseTo(Math.sqrt(7), 12);
  });

  test("needs betas between 0 and 1", () => {
    expect(() => noiseSchedule([])).toThrow("betas: must hold at least one timestep, got none");
    for (const beta of [0, 1.1, -0.1, Number.NaN]) {
      expect(() => noiseSchedule([0.1, beta])).toThrow(`both excluded, got ${beta} at t = 1`);
    }
    expect(() => noiseSchedule([1e-17, 0.1])).toThrow("must each add noise in float64, got 1e-17 at t = 0");
    // A last beta of 1 leaves no signal; one before leaves nothing to the timesteps after it.
    expect(() => noiseSchedule([0.1, 1, 0.1])).toThrow("both excluded, got 1 at t = 1");
    expect(() => noiseSchedule([1])).toThrow("both excluded, got 1 at t = 0");
    expect([...noiseSchedule([0.5, 1]).alphasCumprod]).toEqual([0.5, 0]);
  });
});

describe("how much signal a schedule leaves", () => {
  test.each([
    ["linear", 3400],
    ["linear", 20000],
    ["sigmoid", 5000],
    ["quadratic", 9000],
  ] as const)("to all timesteps but the last must be some: %s over %i is refused in one line", (name, timesteps) => {
    expect(() => noiseSchedule(betaSchedule(name, timesteps))).toThrow(
      /^betas: only the last timestep may be without signal, got none from t = \d+ on, of \d+: take fewer .* betas$/,
    );
    expect(() => noiseSchedule(betaSchedule(name, timesteps, { scale: true }))).not.toThrow();
  });

  test.each(samplerNames)("%s has finite steps over 3,290 timesteps and 20,000 scaled ones", (sampler) => {
    for (const betas of [linearBetaSchedule(3290), linearBetaSchedule(20000, { scale: true })]) {
      const levels = new ScheduleLevels(noiseSchedule(betas));
      for (const timestepSpacing of ["trailing", "linspace", "karras"] as const) {
        expect(samplingPlan(levels, { sampler, steps: 50, timestepSpacing }).visited).toBe(50);
      }
    }
  });

  test("at the end is warned of above 1 %", () => {
    const warningOf = (betas: ArrayLike<number>) => terminalSignalWarning(noiseSchedule(betas));
    expect(warningOf(linearBetaSchedule(300))).toBe(
      "the last of 300 timesteps still has 4.8 % of the image's variance (alphasCumprod, best below 1 %), but sampling " +
        "starts from noise alone: take more timesteps, scaled betas, or rescaleBetasZeroSnr",
    );
    expect(warningOf(linearBetaSchedule(100))).toContain("36.4 %");
    expect(warningOf(scaledLinearBetaSchedule(500))).toContain("6.8 %");
    for (const betas of [
      linearBetaSchedule(1000),
      linearBetaSchedule(100, { scale: true }),
      cosineBetaSchedule(100),
      rescaleZeroTerminalSnr(linearBetaSchedule(100)),
    ]) {
      expect(warningOf(betas)).toBeUndefined();
    }
  });
});
