import { describe, expect, test } from "vitest";
import { classCondition } from "../../models/conditions/classes.ts";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { GaussianDenoiser } from "../../../test/support/gaussian-denoiser.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { Unet } from "../../models/unet/unet.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { concatenate } from "../../tensor/tensor.ts";
import { bitsPerDim } from "./bits-per-dim.ts";
import type { Denoiser } from "../denoiser.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { linearBetaSchedule } from "../process/schedules.ts";

const backend = ReferenceBackend.create();
const betas = linearBetaSchedule(12, { betaStart: 0.01, betaEnd: 0.4 });
// So narrow that no value of the images and no prediction is clipped.
const [mean, deviation] = [0.1, 0.15];
const [count, size] = [40, 100];
const random = new Random(3);
const images = ndarray(
  Float32Array.from({ length: count * size }, () => {
    const byte = Math.round((mean + deviation * random.normal() + 1) * 127.5);
    return byte / 127.5 - 1;
  }),
  [count, 10, 10, 1],
);

/**
 * E[L_t] in bits for normal pixels and the exact E[x_0 | x_t], where the model's variance is `variance`. With the
 * posterior's variance u and mean c x_0 + ..., and w = Var[x_0 | x_t], the expected squared distance of the means is c^2 w.
 */
function expectedTerm(t: number, variance: number): number {
  const { alphasCumprod, posteriorVariance, posteriorMeanCoef1 } = new GaussianDiffusion({ betas }).schedule;
  const abar = alphasCumprod[t];
  const rest = (deviation ** 2 * (1 - abar)) / (abar * deviation ** 2 + 1 - abar);
  const distance = posteriorMeanCoef1[t] ** 2 * rest;
  // The density at a byte, as its bins are narrow beside the deviation.
  if (t === 0) return (Math.log(2 * Math.PI * variance) / 2 + distance / (2 * variance) + Math.log(127.5)) / Math.LN2;
  const [u, ratio] = [posteriorVariance[t], posteriorVariance[t] / variance];
  expect(u).toBeGreaterThan(0);
  return (ratio - 1 - Math.log(ratio) + distance / variance) / (2 * Math.LN2);
}

describe("the bound of normal pixels under the exact network", () => {
  const truth = new GaussianDenoiser(betas, mean, deviation);
  const { schedule } = new GaussianDiffusion({ betas });
  const small = schedule.posteriorVariance.with(0, schedule.posteriorVariance[1]);
  const large = schedule.betas.with(0, small[0]);
  const learnsHalf: Denoiser = {
    channels: 1,
    forward: (x, t) => concatenate([truth.forward(x, t), x.multiply(0)], 3),
  };

  test.each([
    ["fixedSmall", truth, small],
    ["fixedLarge", truth, large],
    ["learnedRange", learnsHalf, small.map((low, t) => Math.sqrt(low * schedule.betas[t]))],
  ] as const)("%s has the expected terms", async (varianceType, model, variances) => {
    const diffusion = new GaussianDiffusion({ betas, varianceType });
    const { total, prior, terms } = await bitsPerDim(diffusion, model, images, { seed: 1, backend });
    const expected = Array.from(variances, (variance, t) => expectedTerm(t, variance));
    for (const [t, term] of terms.entries()) {
      // 4,000 values: their mean is off by 4 of its deviations at most, of squared normal numbers with a share of the term.
      expect(Math.abs(term - expected[t]) / expected[t], `t = ${t}`).toBeLessThan(4 * Math.sqrt(2 / (count * size)));
    }
    const abar = schedule.alphasCumprod[11];
    const square = mean ** 2 + deviation ** 2;
    const expectedPrior = (abar * square - abar - Math.log(1 - abar)) / (2 * Math.LN2);
    const average = (values: Float64Array) => values.reduce((a, b) => a + b) / values.length;
    expect(average(prior)).toBeCloseTo(expectedPrior, 4);
    expect(average(total)).toBeCloseTo(average(prior) + terms.reduce((a, b) => a + b), 6);
  });
});

describe("bitsPerDim", () => {
  const diffusion = new GaussianDiffusion({ betas });
  const model: Denoiser = { channels: 1, forward: (x) => x.multiply(0.5) };

  test("gives an image the same bits in batches of any size, and says how far it is", async () => {
    const few = ndarray(images.data.slice(0, 5 * size), [5, 10, 10, 1]);
    const seen: string[] = [];
    const onStep = ({ step, steps }: { step: number; steps: number }) => void seen.push(`${step} of ${steps}`);
    const together = await bitsPerDim(diffusion, model, few, { seed: 4, backend, onStep });
    const inPairs = await bitsPerDim(diffusion, model, few, { seed: 4, backend, batchSize: 2 });
    expect(largestDifference(together.total, inPairs.total)).toBeLessThan(1e-5);
    expect(largestDifference(together.terms, inPairs.terms)).toBeLessThan(1e-5);
    expect(seen).toEqual(Array.from({ length: 12 }, (_, i) => `${i + 1} of 12`));
  });

  test("tells a model the class of each image", async () => {
    // It knows the noise of images of class 1, which makes them cheap.
    const truth = new GaussianDenoiser(betas, mean, deviation);
    const knows: Denoiser = {
      channels: 1,
      conditions: classCondition(2),
      forward: (x, t, { classes } = {}) =>
        classes ? truth.forward(x, t).multiply(classes.convert("f32").reshape([x.shape[0], 1, 1, 1])) : x,
    };
    const classes = Array.from({ length: 5 }, (_, i) => i % 2);
    const few = ndarray(images.data.slice(0, 5 * size), [5, 10, 10, 1]);
    const { total } = await bitsPerDim(diffusion, knows, few, { classes, seed: 2, backend, batchSize: 2 });
    expect(Math.max(total[1], total[3]) + 0.1).toBeLessThan(Math.min(total[0], total[2], total[4]));
  });

  test("stops between two steps", async () => {
    const controller = new AbortController();
    const onStep = () => controller.abort(new Error("enough"));
    const run = bitsPerDim(diffusion, model, images, { backend, onStep, signal: controller.signal });
    await expect(run).rejects.toThrow("enough");
  });

  test("says what it cannot take", async () => {
    const wrong = ndarray(new Float32Array(12), [2, 2, 1, 3]);
    await expect(bitsPerDim(diffusion, model, wrong, { backend })).rejects.toThrow(
      "bitsPerDim: images must be f32 [images, height, width, 1], got f32 [2,2,1,3]",
    );
    await expect(bitsPerDim(diffusion, model, images, { backend, batchSize: 0 })).rejects.toThrow(
      "bitsPerDim: batchSize must be a whole number of at least 1, got 0",
    );
  });
});

test("every condition that the model declares goes with its image, however many there are at a time", async () => {
  const small = { dim: 4, channels: 1, dimMults: [1], resnetBlockGroups: 2, attentionHeads: 1, attentionDimHead: 4 };
  const model = new Unet({ ...small, vectorDim: 2, contextDim: 3, seed: 3 });
  const diffusion = new GaussianDiffusion({ timesteps: 3 });
  const images = ndarray(new Float32Array(3 * 16).fill(0.5), [3, 4, 4, 1]);
  const context = ndarray(
    Float32Array.from({ length: 18 }, (_, i) => Math.sin(i)),
    [3, 2, 3],
  );
  const told = (scale: number) => ({
    vector: ndarray(
      Float32Array.from([1, 2, -3, 4, 5, -6], (v) => v * scale),
      [3, 2],
    ),
    context,
  });
  const of = async (batchSize: number, scale: number) =>
    (
      await bitsPerDim(diffusion, model, images, {
        ...told(scale),
        batchSize,
        seed: 1,
        backend: new ReferenceBackend(),
      })
    ).total;
  const together = await of(3, 1);
  const apart = await of(1, 1);
  for (const [i, value] of together.entries()) expect(apart[i]).toBeCloseTo(value, 4);
  expect(Math.abs((await of(3, 9))[2] - together[2])).toBeGreaterThan(1e-3);
  const one = { vector: ndarray(new Float32Array(2), [1, 2]) };
  await expect(bitsPerDim(diffusion, model, images, { ...one, seed: 1 })).rejects.toThrow("vector");
});
