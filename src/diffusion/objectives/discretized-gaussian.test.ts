import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { discretizedGaussianLogLikelihood, logNormalDistribution } from "./discretized-gaussian.ts";

interface Case {
  readonly byte: number;
  readonly mean: number;
  readonly deviation: number;
  readonly log: number;
}

/** By test/fixtures/likelihood/generate.py. */
const recorded = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/likelihood/likelihood.json", import.meta.url), "utf8"),
) as readonly Case[];

const scaled = (byte: number): number => byte / 127.5 - 1;

function tensors(cases: readonly Omit<Case, "log">[]) {
  return [
    tensorOf(cases.map(({ byte }) => scaled(byte))),
    tensorOf(cases.map(({ mean }) => mean)),
    tensorOf(cases.map(({ deviation }) => Math.log(deviation))),
  ] as const;
}

test("is scipy's, as far as 600 deviations from the mean", async () => {
  const logs = await valuesOf(discretizedGaussianLogLikelihood(...tensors(recorded)));
  for (const [i, { log, ...rest }] of recorded.entries()) {
    const tolerance = Math.max(1e-3, 1e-4 * Math.abs(log));
    expect(Math.abs(logs[i] - log), `${JSON.stringify(rest)}: ${logs[i]} is not ${log}`).toBeLessThan(tolerance);
  }
});

test.each([
  [0.2, 0.1],
  [-0.99, 0.005],
  [1.4, 0.5],
  [0, 30],
])("sums to 1 over all bytes, mean %f and deviation %f", async (mean, deviation) => {
  const bytes = Array.from({ length: 256 }, (_, byte) => ({ byte, mean, deviation }));
  const logs = await valuesOf(discretizedGaussianLogLikelihood(...tensors(bytes)));
  expect(logs.reduce((sum, log) => sum + Math.exp(log), 0)).toBeCloseTo(1, 4);
});

test("has gradients by the mean and the deviation everywhere", async () => {
  const [x, mean, logDeviation] = tensors(recorded);
  const total = discretizedGaussianLogLikelihood(x, mean, logDeviation).sum();
  const [byMean, byLog] = await Promise.all(grad(total, [mean, logDeviation]).map(valuesOf));
  expect([...byMean, ...byLog].every(Number.isFinite)).toBe(true);
  // Far from the bin the density at its nearer edge decides: d log p / d mean is about its distance over the variance.
  for (const [i, { byte, mean, deviation }] of recorded.entries()) {
    const edge = scaled(byte) - mean - Math.sign(scaled(byte) - mean) / 255;
    if (byte === 0 || byte === 255 || Math.abs(edge) / deviation < 30) continue;
    expect(byMean[i] / (edge / deviation ** 2)).toBeCloseTo(1, 1);
  }
});

test("log Phi has no step where its tail begins", async () => {
  const [above, below] = await valuesOf(logNormalDistribution(tensorOf([-3.4999, -3.5001])));
  expect(above - below).toBeGreaterThan(0);
  expect(above - below).toBeLessThan(2e-3);
});
