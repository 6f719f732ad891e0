import { expect, test } from "vitest";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { noiseSchedule } from "./noise-schedule.ts";
import { linearBetaSchedule } from "./schedules.ts";
import { rescaleZeroTerminalSnr } from "./zero-terminal-snr.ts";

test("leaves no signal at the last timestep, and all of it at the first", () => {
  const before = noiseSchedule(linearBetaSchedule(300));
  const after = noiseSchedule(rescaleZeroTerminalSnr(before.betas));
  expect(after.betas[299]).toBe(1);
  expect(after.alphasCumprod[299]).toBe(0);
  expect(after.alphasCumprod[0]).toBeCloseTo(before.alphasCumprod[0], 14);
  // In between, sqrt(abar) keeps its form.
  const place = (s: typeof before): number[] => {
    const roots = [...s.sqrtAlphasCumprod];
    return roots.map((root) => (root - roots[299]) / (roots[0] - roots[299]));
  };
  expect(largestDifference(place(after), place(before))).toBeLessThan(1e-12);
});

test("needs two timesteps with some signal", () => {
  expect(() => rescaleZeroTerminalSnr([0.5])).toThrow("rescaleZeroTerminalSnr: needs at least two timesteps, got 1");
  expect(() => rescaleZeroTerminalSnr([0.5, 2])).toThrow("betas: must lie between 0 and 1");
});
