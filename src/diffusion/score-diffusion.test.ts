import { afterAll, describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { GaussianMixture, kolmogorovSmirnov } from "../../test/support/gaussian-mixture.ts";
import type { Component } from "../../test/support/gaussian-mixture.ts";
import { Random } from "../../test/support/random.ts";
import { createWasmBackend } from "../backend/wasm/wasm-backend.node.ts";
import { softmax } from "../tensor/functions/functions.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { normalRows } from "../tensor/random.ts";
import { literal, scalar } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Denoiser } from "./denoiser.ts";
import type { Diffusion } from "./diffusion.ts";
import { probabilityFlowLikelihood } from "./objectives/probability-flow-likelihood.ts";
import { rhoOf } from "./process/noise-level.ts";
import { RectifiedFlow } from "./rectified-flow.ts";
import { ScoreDiffusion } from "./score-diffusion.ts";

const backend = await createWasmBackend({ threads: 1 });
afterAll(() => backend.close());

const components: readonly Component[] = [
  { weight: 0.3, mean: -0.7, deviation: 0.15 },
  { weight: 0.7, mean: 0.4, deviation: 0.2 },
];
const data = new GaussianMixture(components);
const ve = new ScoreDiffusion({ clipDenoised: false });
const vp = new ScoreDiffusion({ sde: "vp", clipDenoised: false });

/** E[epsilon | x] for pixels that are drawn from the mixture one by one. */
function expectedNoise(x: Tensor, alpha: Tensor, sigma: Tensor): Tensor {
  const row = (value: (component: Component) => number) => literal(ndarray(components.map(value), [1, 2]));
  const flat = (tensor: Tensor) => tensor.broadcastTo(x.shape).reshape([x.size, 1]);
  const [pixels, a, s] = [flat(x), flat(alpha), flat(sigma)];
  const variance = a
    .multiply(row(({ deviation }) => deviation))
    .square()
    .add(s.square());
  const surprise = pixels.subtract(a.multiply(row(({ mean }) => mean)));
  const logits = surprise
    .square()
    .divide(variance)
    .add(variance.log())
    .multiply(-0.5)
    .add(row(({ weight }) => Math.log(weight)));
  return softmax(logits).multiply(surprise.divide(variance).multiply(s)).sum(1).reshape(x.shape);
}

/** The exact network of a score-based diffusion, which is shown x / sqrt(alpha^2 + sigma^2). */
function exact(diffusion: ScoreDiffusion): Denoiser {
  return {
    channels: 1,
    forward: (input, t) => {
      const { alpha, sigma } = diffusion.levelAt(t, input);
      return expectedNoise(input.multiply(alpha.square().add(sigma.square()).sqrt()), alpha, sigma);
    },
  };
}

describe("the processes", () => {
  test("have the signal and noise of the paper's", () => {
    expect(ve.levels.at(500)).toMatchObject({ alpha: 1 });
    expect(ve.levels.at(500).sigma).toBeCloseTo(Math.sqrt(0.01 * 50), 12);
    expect(vp.levels.at(1000).alpha).toBeCloseTo(Math.exp(-(20 - 0.1) / 4 - 0.1 / 2), 12);
    for (const { levels } of [ve, vp]) {
      for (const timestep of [1, 250, 1000]) {
        expect(levels.withRho(rhoOf(levels.at(timestep))).timestep).toBeCloseTo(timestep, 6);
      }
    }
    const { alpha, sigma } = vp.levels.at(300);
    expect(alpha ** 2 + sigma ** 2).toBeCloseTo(1, 12);
  });

  test.each([
    ["ve", ve],
    ["vp", vp],
  ] as const)("of %s are the same as tensors and as numbers", async (_, diffusion) => {
    const times = [1, 10, 250, 1000];
    const t = ndarray(times, [4]);
    for (const name of ["alpha", "sigma"] as const) {
      const { data } = await evaluate((t) => diffusion.levelAt(t, t)[name].broadcastTo([4]), t);
      const expected = times.map((time) => diffusion.levels.at(time)[name]);
      expect(largestDifference(data, expected)).toBeLessThan(1e-6 * Math.max(...expected));
      expect(Math.abs(data[0] / expected[0] - 1)).toBeLessThan(1e-4);
    }
  });

  test("start sampling from as much noise as they end with", () => {
    expect(ve.plan().start).toMatchObject({ alpha: 1, timestep: 1000 });
    expect(ve.plan().start.sigma).toBeCloseTo(50, 9);
    const visited = ve.plan({ steps: 3 }).steps.map(({ level }) => level.timestep);
    expect(largestDifference(visited, [1000, 500.005, 500.005, 0.01, 0.01])).toBeLessThan(1e-9);
    expect(visited).toHaveLength(5);
    expect(ve.plan({ sampler: "annealedLangevin" }).visited).toBe(10);
  });

  test("train for the noise", async () => {
    const [x, z] = [new Random(1).array([2, 1, 2, 1]), new Random(2).array([2, 1, 2, 1])];
    const model: Denoiser = { channels: 1, forward: (input) => input };
    const losses = await evaluate((x, t, z) => ve.losses(model, x, t, z), x, ndarray([10, 900], [2]), z);
    const expected = [10, 900].map((time, i) => {
      const { sigma } = ve.levels.at(time);
      const error = (j: number) =>
        (x.data[2 * i + j] + sigma * z.data[2 * i + j]) / Math.hypot(1, sigma) - z.data[2 * i + j];
      return (error(0) ** 2 + error(1) ** 2) / 2;
    });
    expect(largestDifference(losses.data, expected)).toBeLessThan(1e-5);
  });
});

test("a corrector's step has the length that follows from each image's norms", async () => {
  const model = exact(ve);
  const start = ndarray(
    new Random(3).array([2, 2, 2, 1]).data.map((value) => 50 * value),
    [2, 2, 2, 1],
  );
  const options = { start, steps: 4, seed: 9, backend, returnSteps: "all" } as const;
  const { steps } = await ve.sample(model, { ...options, snr: 0.2 });
  const plan = ve.plan({ steps: 4, snr: 0.2 });
  let x = Array.from(start.data);
  for (const [i, { level }] of plan.steps.entries()) {
    const key = [scalar(9, "u32"), scalar(i, "u32")] as const;
    const z = await evaluate(() => normalRows(key, scalar(0, "u32"), [2, 2, 2, 1]));
    const score = x.map((value) => (data.xStart(value, level) - value) / level.sigma ** 2);
    const next = plan.steps[i + 1]?.level ?? { sigma: 0 };
    const norm = (values: ArrayLike<number>, image: number) =>
      Math.hypot(...Array.from(values).slice(4 * image, 4 * image + 4));
    x = x.map((value, k) => {
      const image = Math.floor(k / 4);
      if (i % 2 === 0 && next.sigma === 0) return data.xStart(value, level);
      // The plan predicts, corrects at the level that it came to, predicts, ...
      if (i % 2 === 0) {
        const beta = level.sigma ** 2 - next.sigma ** 2;
        return value + beta * score[k] + Math.sqrt(beta) * z.data[k];
      }
      const ratio = (0.2 * norm(z.data, image)) / norm(score, image);
      const length = Math.min(2 * ratio ** 2, level.sigma ** 2);
      return value + length * score[k] + Math.sqrt(2 * length) * z.data[k];
    });
    const scale = Math.max(1, ...x.map(Math.abs));
    expect(largestDifference(steps[i + 1].images.data, x) / scale).toBeLessThan(1e-3);
    // Go on from what the device has, so that errors do not add up.
    x = Array.from(steps[i + 1].images.data);
  }
});

describe("images whose pixels are drawn from a mixture", () => {
  // Norms of many pixels hardly vary, as the corrector assumes.
  const options = { batchSize: 8, imageSize: 16, seed: 4, backend } as const;

  test.each([
    ["ve", "predictorCorrector", ve, 300],
    ["vp", "predictorCorrector", vp, 300],
    ["ve", "annealedLangevin", ve, 24],
    ["vp", "annealedLangevin", vp, 24],
  ] as const)("are drawn by %s with %s", async (_, sampler, diffusion, steps) => {
    const samples = await diffusion.sample(exact(diffusion), { ...options, sampler, steps });
    const share = kolmogorovSmirnov(Array.from(samples.data), (x) => data.distribution(x));
    // 1.95 / sqrt(n) is exceeded once in a thousand; the rest is the steps' own error.
    expect(share).toBeLessThan(1.95 / Math.sqrt(2048) + 0.015);
  });

  test("do not depend on what is drawn beside them", async () => {
    const draw = (batchSize: number, firstIndex: number) =>
      ve.sample(exact(ve), { ...options, batchSize, firstIndex, imageSize: 4, steps: 5 });
    const all = await draw(3, 0);
    const last = await draw(1, 2);
    expect(largestDifference(last.data, all.data.slice(32))).toBeLessThan(1e-5);
  });
});

describe("the likelihood by the probability flow", () => {
  const points = [-1, -0.7, -0.45, -0.1, 0.2, 0.4, 0.65, 0.9];
  const images = ndarray(points, [4, 1, 2, 1]);
  const density = (x: number) =>
    components.reduce((sum, { weight, mean, deviation }) => {
      const place = (x - mean) / deviation;
      return sum + (weight * Math.exp(-(place ** 2) / 2)) / (deviation * Math.sqrt(2 * Math.PI));
    }, 0);
  const expected = [0, 1, 2, 3].map((i) => Math.log(density(points[2 * i])) + Math.log(density(points[2 * i + 1])));

  const flow = new RectifiedFlow({ clipDenoised: false });
  const velocity: Denoiser = {
    channels: 1,
    forward: (x, t) => {
      const { alpha, sigma } = flow.levelAt(t, x);
      // epsilon - x_0, with x_0 = (x - sigma epsilon) / alpha.
      const noise = expectedNoise(x, alpha, sigma);
      return noise.subtract(x.subtract(noise.multiply(sigma)).divide(alpha));
    },
  };

  test.each<[string, Diffusion, Denoiser]>([
    ["ve", ve, exact(ve)],
    ["vp", vp, exact(vp)],
    ["rectified flow", flow, velocity],
  ])("of %s is the density of a mixture, in closed form", async (_, diffusion, model) => {
    const found = await probabilityFlowLikelihood(diffusion, model, images, { steps: 60, trace: "exact", backend });
    expect(largestDifference(found.logLikelihood, expected)).toBeLessThan(0.02);
    const bits = expected.map((nats) => 7 - nats / (2 * Math.LN2));
    expect(largestDifference(found.bitsPerDim, bits)).toBeLessThan(0.02);
  });

  test("by random vectors is right on average", async () => {
    // Every pixel looks at its neighbour, so that one random vector alone gets the trace wrong.
    const model: Denoiser = { channels: 1, forward: (x) => x.multiply(0.5).add(x.reverse([2]).multiply(0.3)) };
    const options = { steps: 10, backend } as const;
    const exact = await probabilityFlowLikelihood(vp, model, images, { ...options, trace: "exact" });
    const sum = new Float64Array(4);
    let most = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { logLikelihood } = await probabilityFlowLikelihood(vp, model, images, { ...options, seed });
      logLikelihood.forEach((value, i) => (sum[i] += value / 40));
      most = Math.max(most, largestDifference(logLikelihood, exact.logLikelihood));
    }
    expect(most).toBeGreaterThan(0.5);
    expect(largestDifference(sum, exact.logLikelihood)).toBeLessThan((3.3 * most) / Math.sqrt(40));
  });

  test("refuses what it cannot do, in one line", async () => {
    const of = (options: object, of = images) => probabilityFlowLikelihood(vp, exact(vp), of, { backend, ...options });
    await expect(of({ steps: 0 })).rejects.toThrow(
      "probabilityFlowLikelihood: steps must be a whole number of at least 1, got 0",
    );
    await expect(of({ trace: "hutch" })).rejects.toThrow("trace must be hutchinson or exact, got hutch");
    await expect(of({}, ndarray([NaN], [1, 1, 1, 1]))).rejects.toThrow("images must hold finite numbers, got NaN at 0");
    const damaged: Denoiser = { channels: 1, forward: (x) => x.multiply(NaN) };
    await expect(probabilityFlowLikelihood(vp, damaged, images, { backend })).rejects.toThrow(
      "the model's output must be finite numbers, got others for image 0",
    );
  });
});

test.each([
  [{ sde: "subvp" }, "sde: must be one of ve, vp, got subvp"],
  [{ sigmaMin: -1 }, "sigmaMin: must be from"],
  [{ sigmaMin: 60 }, "sigmaMin: must be below sigmaMax, got 60 and 50"],
  [{ sde: "vp", betaMin: 30 }, "betaMin: must be above 0 and below betaMax, which may be 60, got 30 and 20"],
  [{ sde: "vp", betaMax: 1e9 }, "got 0.1 and 1000000000"],
])("refuses %o", (options, message) => {
  expect(() => new ScoreDiffusion(options as object)).toThrow(message);
});
