import { describe, expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { CLEAN, ScheduleLevels, karrasRhos, lambdaOf, rhoOf } from "./noise-level.ts";
import { noiseSchedule } from "./noise-schedule.ts";
import { linearBetaSchedule } from "./schedules.ts";
import { rescaleZeroTerminalSnr } from "./zero-terminal-snr.ts";

const schedule = noiseSchedule(linearBetaSchedule(100, { betaEnd: 0.1 }));
const levels = new ScheduleLevels(schedule);

describe("a noise level", () => {
  test("has the schedule's signal and noise at a timestep", () => {
    const { timestep, alpha, sigma } = levels.at(40);
    expect(timestep).toBe(40);
    expect(alpha ** 2).toBeCloseTo(schedule.alphasCumprod[40], 14);
    expect(alpha ** 2 + sigma ** 2).toBeCloseTo(1, 14);
    expect(rhoOf({ timestep, alpha, sigma })).toBeCloseTo(sigma / alpha, 14);
    expect(lambdaOf({ timestep, alpha, sigma })).toBeCloseTo(Math.log(alpha / sigma), 12);
    expect(rhoOf(CLEAN)).toBe(0);
    expect(lambdaOf(CLEAN)).toBe(Infinity);
  });

  test("is found by its rho, at a timestep and between two", () => {
    for (const t of [0, 1, 40, 99]) {
      const found = levels.withRho(rhoOf(levels.at(t)));
      expect(found.timestep).toBeCloseTo(t, 9);
      expect(found.alpha).toBeCloseTo(levels.at(t).alpha, 12);
    }
    const between = levels.withRho(Math.sqrt(rhoOf(levels.at(40)) * rhoOf(levels.at(41))));
    expect(between.timestep).toBeCloseTo(40.5, 9);
    expect(between.alpha ** 2 + between.sigma ** 2).toBeCloseTo(1, 14);
  });

  test("beyond the schedule keeps its nearest timestep", () => {
    expect(levels.withRho(1e-6)).toMatchObject({ timestep: 0 });
    expect(levels.withRho(1e6)).toMatchObject({ timestep: 99 });
    expect(rhoOf(levels.withRho(1e6))).toBeCloseTo(1e6, 3);
  });
});

describe("Karras levels", () => {
  test("are those of equation 5", () => {
    // get_sigmas_karras(5, 0.02, 80) of k-diffusion
    const expected = [80, 21.0666149075455, 4.045647250607926, 0.4651580761883997, 0.02];
    expect(largestDifference(karrasRhos(5, 0.02, 80), expected)).toBeLessThan(1e-12);
  });

  test("go from the schedule's most noise to its least, and then to none", () => {
    const spaced = levels.karras(6);
    expect(spaced).toHaveLength(7);
    expect(spaced[0].timestep).toBeCloseTo(99, 9);
    expect(spaced[5].timestep).toBeCloseTo(0, 9);
    expect(spaced[6]).toBe(CLEAN);
    expect(levels.karras(1)[0].timestep).toBeCloseTo(99, 9);
  });

  test("have at most the paper's noise, unless more is asked for", () => {
    const none = new ScheduleLevels(noiseSchedule(rescaleZeroTerminalSnr(schedule.betas)));
    expect(none.at(99)).toEqual({ timestep: 99, alpha: 0, sigma: 1 });
    expect(rhoOf(none.karras(3)[0])).toBeCloseTo(80, 9);
    const asked = none.karras(3, 0.5, 200).map(rhoOf);
    expect([asked[0], asked[2], asked[3]].map((rho) => rho.toFixed(9))).toEqual([
      "200.000000000",
      "0.500000000",
      "0.000000000",
    ]);
  });
});
