import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { Denoiser } from "../denoiser.ts";
import type { Objective } from "../objectives/objective.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { minSnrWeights, p2Weights } from "./loss-weight.ts";
import { noiseSchedule } from "../process/noise-schedule.ts";
import { linearBetaSchedule } from "../process/schedules.ts";
import { rescaleZeroTerminalSnr } from "../process/zero-terminal-snr.ts";

const betas = linearBetaSchedule(30, { betaEnd: 0.4 });
const schedule = noiseSchedule(betas);
const snr = [...schedule.alphasCumprod].map((abar) => abar / (1 - abar));
const objectives: readonly Objective[] = ["predNoise", "predX0", "predV"];

describe("Min-SNR-gamma", () => {
  test("has the paper's weight for each objective", () => {
    const of = (objective: Objective): number[] => [...minSnrWeights(schedule, objective, 5)];
    expect(
      largestDifference(
        of("predNoise"),
        snr.map((s) => Math.min(s, 5) / s),
      ),
    ).toBeLessThan(1e-12);
    expect(
      largestDifference(
        of("predX0"),
        snr.map((s) => Math.min(s, 5)),
      ),
    ).toBeLessThan(1e-12);
    expect(
      largestDifference(
        of("predV"),
        snr.map((s) => Math.min(s, 5) / (s + 1)),
      ),
    ).toBeLessThan(1e-12);
    expect(snr.some((s) => s > 5) && snr.some((s) => s < 5)).toBe(true);
  });
});

describe("weights that would leave a timestep unlearned are refused in one line", () => {
  const got = "must give every timestep some weight, got 0 at timestep";
  const noSignal = `${got} 29, where sampling starts: it has no signal left to weight by`;

  test.each<[string, object, string]>([
    ["min-SNR", { minSnrLossWeight: true }, `minSnrLossWeight: ${noSignal}`],
    ["P2", { p2LossWeightGamma: 1 }, `p2LossWeightGamma: ${noSignal}`],
    ["P2 with a small k", { p2LossWeightGamma: 0.5, p2LossWeightK: 1e-3 }, `p2LossWeightGamma: ${noSignal}`],
  ])("by %s where no signal is left", (_, weighting, message) => {
    for (const objective of ["predV", "predX0"] as const) {
      expect(() => new GaussianDiffusion({ betas, rescaleBetasZeroSnr: true, objective, ...weighting })).toThrow(
        message,
      );
      const none = rescaleZeroTerminalSnr(betas);
      expect(() => new GaussianDiffusion({ betas: none, objective, ...weighting })).toThrow(message);
      expect(() => new GaussianDiffusion({ betas, objective, ...weighting })).not.toThrow();
    }
  });

  test("by P2 where its power takes all digits", () => {
    expect(() => p2Weights(schedule, "predNoise", 5, 1)).not.toThrow();
    expect(() => p2Weights(schedule, "predNoise", 50, 1)).toThrow(
      /^p2LossWeightGamma: must give every timestep some weight, got \S+ at timestep 0$/,
    );
  });
});

test("P2 has the paper's weight for the noise", () => {
  const expected = snr.map((s) => 1 / (2 + s) ** 0.5);
  expect(largestDifference(p2Weights(schedule, "predNoise", 0.5, 2), expected)).toBeLessThan(1e-12);
});

describe.each([
  ["minSnr", { minSnrLossWeight: true }],
  ["p2", { p2LossWeightGamma: 1 }],
] as const)("a loss weighted by %s", (_, weighting) => {
  const random = new Random(3);
  const shape = [3, 2, 2, 1];
  const [xStart, noise, estimate] = [random.array(shape), random.array(shape), random.array(shape)];
  const t = ndarray([0, 12, 29], [3], "i32");

  /** Loss of a network that sees `estimate` as clean images. */
  const lossOf = async (objective: Objective): Promise<number> => {
    const diffusion = new GaussianDiffusion({ betas, objective, ...weighting });
    const loss = await evaluate(
      (xStart, t, noise, estimate) => {
        const x = diffusion.qSample(xStart, t, noise);
        const seen = diffusion.target(estimate, t, diffusion.predictNoise(x, t, estimate));
        const model: Denoiser = { channels: 1, forward: () => seen };
        return diffusion.pLosses(model, xStart, t, noise);
      },
      xStart,
      t,
      noise,
      estimate,
    );
    return loss.data[0];
  };

  test("is the same for a network's noise, images and v", async () => {
    const losses = await Promise.all(objectives.map(lossOf));
    expect(Math.abs(losses[1] / losses[0] - 1)).toBeLessThan(1e-4);
    expect(Math.abs(losses[2] / losses[0] - 1)).toBeLessThan(1e-4);
    const weights =
      "minSnrLossWeight" in weighting ? minSnrWeights(schedule, "predX0", 5) : p2Weights(schedule, "predX0", 1, 1);
    const errors = [0, 12, 29].map((t, image) => {
      const squares = Array.from(
        { length: 4 },
        (_, i) => (estimate.data[image * 4 + i] - xStart.data[image * 4 + i]) ** 2,
      );
      return (weights[t] * squares.reduce((a, b) => a + b)) / 4;
    });
    expect(losses[1]).toBeCloseTo(errors.reduce((a, b) => a + b) / 3, 4);
  });
});

test("weights are off by default, one at a time, and in range", () => {
  const make = (options: object) => () => new GaussianDiffusion({ betas, ...options });
  expect(make({})().lossWeights).toBeUndefined();
  expect(make({ minSnrLossWeight: true, p2LossWeightGamma: 1 })).toThrow(
    "GaussianDiffusion: takes minSnrLossWeight or p2LossWeightGamma, got both",
  );
  expect(make({ minSnrLossWeight: true, minSnrGamma: 0 })).toThrow("minSnrGamma: must be above 0, got 0");
  expect(make({ p2LossWeightGamma: -1 })).toThrow("p2LossWeightGamma: must be above 0, got -1");
  expect(make({ p2LossWeightGamma: 1, p2LossWeightK: 0 })).toThrow("p2LossWeightK: must be above 0, got 0");
});
