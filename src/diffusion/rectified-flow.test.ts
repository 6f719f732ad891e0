import { afterAll, describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { GaussianMixture, kolmogorovSmirnov, normalDistribution } from "../../test/support/gaussian-mixture.ts";
import { hostSamplerNames, sampleOnHost } from "../../test/support/host-sampling.ts";
import { Random } from "../../test/support/random.ts";
import { createWasmBackend } from "../backend/wasm/wasm-backend.node.ts";
import { compile } from "../backend/compile.ts";
import { grad } from "../tensor/autodiff/grad.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { RandomStream } from "../tensor/random.ts";
import { valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import type { Denoiser } from "./denoiser.ts";
import type { NoiseLevel } from "./process/noise-level.ts";
import { RectifiedFlow } from "./rectified-flow.ts";
import type { RectifiedFlowOptions } from "./rectified-flow.ts";
import { samplerNames } from "./samplers/registry.ts";

const backend = await createWasmBackend({ threads: 1 });
afterAll(() => backend.close());

const flow = new RectifiedFlow({ clipDenoised: false });
const data = new GaussianMixture([
  { weight: 0.3, mean: -0.7, deviation: 0.15 },
  { weight: 0.7, mean: 0.4, deviation: 0.2 },
]);

describe("the process", () => {
  const [xStart, noise] = [new Random(1).array([3, 1, 2, 1]), new Random(2).array([3, 1, 2, 1])];
  const t = ndarray([0, 250, 1000], [3], "f32");

  test("goes from images to noise along straight lines", async () => {
    const { data } = await evaluate((x, t, z) => flow.qSample(x, t, z), xStart, t, noise);
    const expected = [0, 0.25, 1].flatMap((share, i) =>
      [0, 1].map((j) => (1 - share) * xStart.data[2 * i + j] + share * noise.data[2 * i + j]),
    );
    expect(largestDifference(data, expected)).toBeLessThan(1e-6);
  });

  test("asks the network for the velocity, and sees the images in it", async () => {
    const velocity: Denoiser = { channels: 1, forward: (x) => x.multiply(0) };
    const losses = await evaluate((x, t, z) => flow.losses(velocity, x, t, z), xStart, t, noise);
    const expected = [0, 1, 2].map((i) =>
      [0, 1].reduce((sum, j) => sum + (noise.data[2 * i + j] - xStart.data[2 * i + j]) ** 2 / 2, 0),
    );
    expect(largestDifference(losses.data, expected)).toBeLessThan(1e-5);
    const seen = await evaluate(
      (x, t, z) => flow.estimateXStart({ channels: 1, forward: () => z.subtract(x) }, flow.qSample(x, t, z), t),
      xStart,
      t,
      noise,
    );
    expect(largestDifference(seen.data, xStart.data)).toBeLessThan(1e-5);
  });

  const times = async (options: RectifiedFlowOptions): Promise<number[]> => {
    const draw = (seed: Tensor) => new RectifiedFlow(options).drawTimes(new RandomStream([seed, seed]), 4000);
    return Array.from((await evaluate(draw, ndarray([3], [], "u32"))).data, (time) => time / 1000);
  };
  const logit = (t: number) => Math.log(t / (1 - t));

  // One in a thousand right samples is further off.
  const share = 1.95 / Math.sqrt(4000);

  test("draws uniform or logit-normal times, shifted towards noise", async () => {
    expect(kolmogorovSmirnov(await times({}), (t) => t)).toBeLessThan(share);
    const normal = await times({ timeDistribution: "logitNormal", logitMean: 0.4, logitStd: 0.8 });
    expect(kolmogorovSmirnov(normal, (t) => normalDistribution((logit(t) - 0.4) / 0.8))).toBeLessThan(share);
    const shifted = await times({ shift: 3 });
    expect(kolmogorovSmirnov(shifted, (t) => t / (3 - 2 * t))).toBeLessThan(share);
    // A shift moves log(t / (1 - t)) by its logarithm.
    const both = await times({ timeDistribution: "logitNormal", shift: 3 });
    expect(kolmogorovSmirnov(both, (t) => normalDistribution(logit(t) - Math.log(3)))).toBeLessThan(share);
  });
});

describe("sampling", () => {
  test("walks from t = 1 in equal steps of Euler's method, or shifted ones", () => {
    const timesOf = (options: RectifiedFlowOptions) =>
      new RectifiedFlow(options).plan({ steps: 4 }).steps.map(({ level }) => level.timestep);
    expect(timesOf({})).toEqual([1000, 750, 500, 250]);
    // sigmas of FlowMatchEulerDiscreteScheduler(shift=3) of diffusers for these.
    expect(largestDifference(timesOf({ shift: 3 }), [1000, 900, 750, 500])).toBeLessThan(1e-9);
    expect(flow.plan()).toMatchObject({ sampler: "euler", visited: 50, timestepType: "f32" });
  });

  test("by euler is x + (t' - t) v", () => {
    const velocity = (x: number, t: number) => 0.3 * x + t;
    // What the network sees in x is x - t v.
    const denoise = (x: number, { sigma }: NoiseLevel) => x - sigma * velocity(x, sigma);
    const ours = sampleOnHost(flow.plan({ steps: 5 }).steps, denoise, 1.2);
    let x = 1.2;
    for (let i = 0; i < 5; i++) {
      x -= velocity(x, 1 - i / 5) / 5;
      expect(ours[i + 1]).toBeCloseTo(x, 9);
    }
  });

  const denoise = (x: number, level: NoiseLevel): number => data.xStart(x, level);

  test.each(hostSamplerNames)("by %s draws from a mixture by its own network", (sampler) => {
    const random = new Random(5);
    const plan = flow.plan({ sampler, steps: 100 });
    const samples = Array.from({ length: 1500 }, () => {
      return sampleOnHost(plan.steps, denoise, random.normal(), () => random.normal()).at(-1) ?? NaN;
    });
    // One in a thousand right samplers is further off than 1.95 / sqrt(n).
    const share = kolmogorovSmirnov(samples, (x) => data.distribution(x));
    expect(share).toBeLessThan(1.95 / Math.sqrt(1500));
  });

  test("by every sampler, inverts, repaints and starts from images, in finite numbers", async () => {
    const model: Denoiser = { channels: 1, forward: (x) => x.multiply(0.5) };
    const options = { batchSize: 2, imageSize: 2, steps: 6, seed: 1, backend } as const;
    for (const sampler of samplerNames) {
      const { data } = await flow.sample(model, { ...options, sampler });
      expect(data.every((value) => Number.isFinite(value) && Math.abs(value) < 10)).toBe(true);
    }
    const images = new Random(4).array([2, 2, 2, 1]);
    // The velocity x / 2 is exact for Euler's method in the limit: back to where it came from, up to the steps' error.
    const noise = await flow.invert(model, images, { steps: 500, backend });
    const back = await flow.sample(model, { steps: 500, sampler: "ddim", start: noise, backend });
    expect(largestDifference(back.data, images.data)).toBeLessThan(0.02);
    const mask = ndarray([1, 0, 1, 0, 1, 0, 1, 0], [2, 2, 2, 1]);
    const painted = await flow.sample(model, { ...options, image: images, mask });
    for (const i of [1, 3, 5, 7]) expect(painted.data[i]).toBeCloseTo(images.data[i], 5);
    const kept = await flow.sample(model, { ...options, init: images, strength: 0.5 });
    expect(kept.data).toHaveLength(8);
  });
});

test("a network that is trained by its loss draws a normal distribution", async () => {
  // The exact velocity of N(m, s^2) is linear in x at each t; here a table of slopes and offsets over t is learned.
  const [mean, deviation, knots] = [0.4, 0.3, 16];
  const slope = new Variable("slope", [knots], { data: new Float32Array(knots) });
  const offset = new Variable("offset", [knots], { data: new Float32Array(knots) });
  const model: Denoiser = {
    channels: 1,
    forward: (x, t) => {
      const place = t.multiply((knots - 1) / 1000);
      const low = place
        .floor()
        .convert("i32")
        .minimum(knots - 2);
      const share = place.subtract(low.convert("f32"));
      const at = (table: Tensor) =>
        table
          .gather(low)
          .multiply(share.negate().add(1))
          .add(table.gather(low.add(1)).multiply(share));
      const [a, b] = [slope, offset].map((variable) => at(valueOf(variable)).reshape([x.shape[0], 1, 1, 1]));
      return x.multiply(a).add(b);
    },
  };
  const step = compile(backend, ({ seed, rate }) => {
    const random = new RandomStream([seed, seed]);
    const shape = [512, 1, 1, 1];
    const xStart = random.normal(shape).multiply(deviation).add(mean);
    const t = flow.drawTimes(random, 512);
    const loss = flow.losses(model, xStart, t, random.normal(shape)).mean();
    const gradients = grad(loss, [valueOf(slope), valueOf(offset)]);
    const updates = [slope, offset].map((variable, i) => ({
      variable,
      value: valueOf(variable).subtract(gradients[i].multiply(rate)),
    }));
    return { outputs: { loss }, updates };
  });
  for (let i = 0; i < 1500; i++) {
    await step({ seed: ndarray([i], [], "u32"), rate: ndarray([i < 1000 ? 1.5 : 0.3], []) });
  }
  const { data: drawn } = await flow.sample(model, { batchSize: 1000, imageSize: 1, steps: 50, seed: 2, backend });
  const values = Array.from(drawn);
  const m = values.reduce((a, b) => a + b, 0) / 1000;
  const s = Math.sqrt(values.reduce((sum, x) => sum + (x - m) ** 2, 0) / 1000);
  expect(Math.abs(m - mean)).toBeLessThan(0.04);
  expect(Math.abs(s - deviation)).toBeLessThan(0.04);
});

test.each<[RectifiedFlowOptions, string]>([
  [{ shift: 0 }, "shift: must be from 0.001 to 1000, got 0"],
  [{ logitStd: 0 }, "logitStd must be above 0"],
  [{ logitMean: NaN }, "within -16 and 16, got 1 and NaN"],
  [{ logitMean: 15 }, "within -16 and 16, got 1 and 15"],
  [{ samplingTimesteps: 1.5 }, "samplingTimesteps: must be a whole number of at least 1, got 1.5"],
  [{ timeDistribution: "cosmap" as "uniform" }, "timeDistribution: must be one of uniform, logitNormal, got cosmap"],
])("refuses %o", (options, message) => {
  expect(() => new RectifiedFlow(options)).toThrow(message);
});

test("has no timesteps and no learned variance", () => {
  expect(() => flow.plan({ timestepSpacing: "trailing" })).toThrow(
    "euler: takes timestepSpacing uniform or karras alone where the model knows no timesteps, got trailing",
  );
  expect(() => flow.plan({ timesteps: [3, 1] })).toThrow("where the model knows no timesteps, got timesteps");
  expect(() => flow.plan({ sampler: "ddpm", varianceType: "learnedRange" })).toThrow("this one has none");
});
