import { afterAll, describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { GaussianMixture, kolmogorovSmirnov, normalDistribution } from "../../../test/support/gaussian-mixture.ts";
import { MixtureDenoiser } from "../../../test/support/mixture-denoiser.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { concatenate } from "../../tensor/tensor.ts";
import { classGradient, logLikelihood } from "./classifier.ts";
import type { NoisyClassifier } from "./classifier.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { Objective } from "../objectives/objective.ts";
import { linearBetaSchedule } from "../process/schedules.ts";

const backends = [ReferenceBackend.create(), await createWasmBackend({ threads: 1 })] as const;
const [, wasm] = backends;
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

const betas = linearBetaSchedule(1000);
const components = [
  { weight: 0.5, mean: -0.5, deviation: 0.15 },
  { weight: 0.3, mean: 0.1, deviation: 0.1 },
  { weight: 0.2, mean: 0.6, deviation: 0.2 },
];
const truth = new MixtureDenoiser(betas, components);

test("the logarithm of a class's likelihood and its gradient are those of the softmax", async () => {
  // Logits x_i A with x_i the two pixels of image i: d log p(y) / dx = A (onehot(y) - p).
  const weights = new Random(1).array([2, 3]);
  const [x, classes] = [new Random(2).array([4, 1, 2, 1]), ndarray([0, 2, 1, 1], [4], "i32")];
  const time = ndarray([1, 2, 3, 4], [4], "i32");
  const got = await evaluate(
    (x, t, classes, weights) => {
      const linear: NoisyClassifier = { channels: 1, numClasses: 3, forward: (x) => x.reshape([4, 2]).matmul(weights) };
      const gradient = classGradient(linear, x, t, classes).reshape([4, 2]);
      return concatenate([logLikelihood(linear, x, t, classes).reshape([4, 1]), gradient], 1);
    },
    x,
    time,
    classes,
    weights,
  );
  const expected = [0, 1, 2, 3].flatMap((i) => {
    const pixels = x.data.subarray(2 * i, 2 * i + 2);
    const row = (k: number) => [weights.data[k], weights.data[3 + k]];
    const exps = [0, 1, 2].map((k) => Math.exp(pixels[0] * row(k)[0] + pixels[1] * row(k)[1]));
    const p = exps.map((value) => value / (exps[0] + exps[1] + exps[2]));
    const y = classes.data[i];
    const gradient = [0, 1].map((j) => row(y)[j] - p.reduce((sum, share, k) => sum + share * row(k)[j], 0));
    return [Math.log(p[y])].concat(gradient);
  });
  expect(largestDifference(got.data, expected)).toBeLessThan(1e-5);
});

describe("with the exact network of a mixture", () => {
  const count = 4000;
  const draw = async (objective: Objective, options: object): Promise<number[]> => {
    const byNoise = new GaussianDiffusion({ betas });
    const diffusion = new GaussianDiffusion({ betas, objective, clipDenoised: false });
    const model = {
      channels: 1,
      forward: (x: Parameters<typeof truth.forward>[0], t: Parameters<typeof truth.forward>[1]) => {
        const noise = truth.forward(x, t);
        return diffusion.target(byNoise.predictXStart(x, t, noise), t, noise);
      },
    };
    const images = await diffusion.sample(model, { imageSize: 1, seed: 2, backend: wasm, ...options });
    diffusion.dispose();
    return Array.from(images.data);
  };
  // The 0.1 % level of Kolmogorov and Smirnov, and what the solver's steps leave.
  const most = 1.95 / Math.sqrt(count) + 0.01;

  test("samples without a classifier are of all classes", async () => {
    const samples = await draw("predNoise", { sampler: "ddim", steps: 100, batchSize: count });
    const mixture = new GaussianMixture(components);
    expect(kolmogorovSmirnov(samples, (x) => mixture.distribution(x))).toBeLessThan(most);
  });

  const cases = [
    ["ddim", 0, 100, "predNoise"],
    ["ddim", 1, 300, "predX0"],
    ["ddim", 2, 100, "predV"],
    ["dpmSolver++2M", 1, 250, "predNoise"],
    ["ddpm", 2, 500, "predNoise"],
    ["eulerAncestral", 0, 200, "predV"],
  ] as const;
  test.each(cases)(
    "its exact classifier at scale 1 leads %s to class %i, in %i steps, %s",
    { timeout: 60_000 },
    async (sampler, label, steps, objective) => {
      const classes = new Int32Array(count).fill(label);
      const samples = await draw(objective, { classes, classifier: truth.classifier, sampler, steps });
      const { mean, deviation } = components[label];
      const distance = kolmogorovSmirnov(samples, (x) => normalDistribution((x - mean) / deviation));
      expect(distance).toBeLessThan(most);
    },
  );

  test("a larger scale leads away from the other classes", async () => {
    const options = { sampler: "ddim", steps: 100, classifier: truth.classifier, batchSize: 1000 };
    const classes = new Int32Array(1000).fill(1);
    const spread = (samples: number[]) => {
      const mean = samples.reduce((a, b) => a + b, 0) / samples.length;
      return Math.sqrt(samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length);
    };
    const [one, four] = [1, 4].map((classifierScale) => draw("predNoise", { ...options, classes, classifierScale }));
    expect(spread(await four)).toBeLessThan(0.9 * spread(await one));
  });
});

test.each(backends)("a classifier guides each image to its own class on the $name backend", async (backend) => {
  const diffusion = new GaussianDiffusion({ betas });
  const options = { imageSize: 1, seed: 4, backend, sampler: "ddim", steps: 40, classifier: truth.classifier } as const;
  const { data } = await diffusion.sample(truth, { ...options, classes: [0, 1, 2, 0, 1, 2] });
  for (const [i, value] of data.entries()) expect(Math.abs(value - components[i % 3].mean)).toBeLessThan(0.6);
  expect([data[0], data[3]].every((value) => value < -0.05)).toBe(true);
  expect([data[2], data[5]].every((value) => value > 0.1)).toBe(true);
  diffusion.dispose();
});

test("what a classifier cannot do is said in one line", async () => {
  const diffusion = new GaussianDiffusion({ betas });
  const { classifier } = truth;
  const sample = (options: object) => diffusion.sample(truth, { imageSize: 1, backend: wasm, ...options });
  await expect(sample({ classifier })).rejects.toThrow(
    "sample: a classifier guides towards classes, but none are given",
  );
  await expect(sample({ classes: [3], classifier })).rejects.toThrow(
    "classes must be whole numbers from 0 to 2, got 3",
  );
  await expect(sample({ classifierScale: 2 })).rejects.toThrow(
    "sample: classifierScale 2 is for a classifier, but none is given",
  );
  await expect(sample({ classes: [0], classifier: { ...classifier, channels: 3 } })).rejects.toThrow(
    "sample: the classifier takes 3 channels, the model makes 1",
  );
  await expect(sample({ classes: [0], classifier, condScale: 3 })).rejects.toThrow("but none are given");
});
