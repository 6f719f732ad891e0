import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { classCondition } from "../models/conditions/classes.ts";
import { selfCondition } from "../models/conditions/self-condition.ts";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { GaussianMixture, kolmogorovSmirnov } from "../../test/support/gaussian-mixture.ts";
import { arraysOf, tensorOf } from "../../test/support/reference.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { RandomStream } from "../tensor/random.ts";
import { literal, scalar } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { createWasmBackend } from "../backend/wasm/wasm-backend.node.ts";
import type { Denoiser } from "./denoiser.ts";
import type { SamplerSettings } from "./sampling/sample.ts";
import { ElucidatedDiffusion } from "./elucidated-diffusion.ts";
import { rhoOf } from "./process/noise-level.ts";

/** What test/fixtures/edm/generate.py recorded of k-diffusion. */
interface Recorded {
  readonly sigma: readonly number[];
  /** By image; the images have two values. */
  readonly clean: readonly (readonly number[])[];
  readonly noise: readonly (readonly number[])[];
  readonly denoised: readonly (readonly number[])[];
  readonly losses: readonly number[];
  readonly start: readonly number[];
  readonly levels: readonly number[];
  readonly samples: Readonly<Record<"heun" | "euler" | "lms" | "dpmSolver++2M", readonly number[]>>;
}

const recorded = JSON.parse(
  readFileSync(new URL("../../test/fixtures/edm/edm.json", import.meta.url), "utf8"),
) as Recorded;

/** The network of generate.py. */
const network: Denoiser = {
  channels: 1,
  forward(x, t) {
    const angle = x.multiply(3).add(t.multiply(2).reshape([x.shape[0], 1, 1, 1]));
    return x.multiply(0.5).add(angle.sin().multiply(0.3));
  },
};
const diffusion = new ElucidatedDiffusion({ clipDenoised: false });
const backend = await createWasmBackend({ threads: 1 });
afterAll(() => backend.close());
const count = recorded.sigma.length;
const images = (values: readonly (readonly number[])[]) => ndarray(values.flat(), [count, 1, 2, 1]);
const [clean, noise] = [images(recorded.clean), images(recorded.noise)];
const t = ndarray(
  recorded.sigma.map((sigma) => Math.log(sigma) / 4),
  [count],
);

describe("the preconditioning", () => {
  const denoise = (x: Tensor, t: Tensor, z: Tensor): Tensor =>
    diffusion.estimateXStart(network, diffusion.qSample(x, t, z), t);

  test("is k-diffusion's", async () => {
    const denoised = await evaluate((x, t, z) => denoise(x, t, z), clean, t, noise);
    expect(largestDifference(denoised.data, recorded.denoised.flat())).toBeLessThan(1e-5);
  });

  test("at a level that samplers choose is that at its time", async () => {
    const noisy = await evaluate((x, t, z) => diffusion.qSample(x, t, z), clean, t, noise);
    const ours = await evaluate(
      (x, t) => {
        const { prediction } = diffusion.modelOutput(network, x, t);
        const levels = recorded.sigma.map((rho) => diffusion.levels.withRho(rho));
        const of = (name: "alpha" | "sigma") =>
          literal(
            ndarray(
              levels.map((level) => level[name]),
              [count, 1, 1, 1],
            ),
          );
        return diffusion.xStartOf(prediction, x, { alpha: of("alpha"), sigma: of("sigma") });
      },
      noisy,
      t,
    );
    expect(largestDifference(ours.data, recorded.denoised.flat())).toBeLessThan(1e-4);
  });

  test("clips what it sees where it is told to, and not else", async () => {
    const far = (options: object) => {
      const edm = new ElucidatedDiffusion(options);
      return evaluate((x, t) => edm.estimateXStart(network, x.add(3), t), clean, t);
    };
    expect(Math.max(...(await far({})).data)).toBe(1);
    expect(Math.max(...(await far({ clipDenoised: false })).data)).toBeGreaterThan(1);
  });
});

describe("the loss", () => {
  const losses = async (model: Denoiser) =>
    (await evaluate((x, t, z) => diffusion.losses(model, x, t, z), clean, t, noise)).data;

  test("is k-diffusion's", async () => {
    expect(largestDifference(await losses(network), recorded.losses)).toBeLessThan(1e-5);
  });

  test("is the paper's: the error of the clean images, weighted by (sigma^2 + s^2) / (sigma s)^2", async () => {
    const ofZero = await losses({ channels: 1, forward: (x) => x.multiply(0) });
    const s = 0.5;
    for (const [i, sigma] of recorded.sigma.entries()) {
      const weight = (sigma ** 2 + s ** 2) / (sigma * s) ** 2;
      const skip = s ** 2 / (sigma ** 2 + s ** 2);
      const squares = recorded.clean[i].map((x, j) => (skip * (x + sigma * recorded.noise[i][j]) - x) ** 2);
      expect(ofZero[i] / ((weight * (squares[0] + squares[1])) / 2)).toBeCloseTo(1, 4);
    }
  });

  test("is 0 for a network that knows the images, and needs one shaped as they are", async () => {
    const knows = (x: Tensor, t: Tensor, z: Tensor): Denoiser => ({
      channels: 1,
      forward() {
        const rho = t.multiply(4).exp().reshape([count, 1, 1, 1]);
        return rho.multiply(2).multiply(x).subtract(z.multiply(0.5)).divide(rho.square().add(0.25).sqrt());
      },
    });
    const loss = await evaluate((x, t, z) => diffusion.losses(knows(x, t, z), x, t, z), clean, t, noise);
    expect(largestDifference(loss.data, new Array<number>(count).fill(0))).toBeLessThan(1e-9);
    await expect(losses({ channels: 1, forward: (x) => x.sum(3) })).rejects.toThrow(
      "diffusion: the model must return images shaped as its input, [5,1,2,1], got [5,1,2]",
    );
  });
});

test("training levels have a normal logarithm", async () => {
  const key = [scalar(3, "u32"), scalar(0, "u32")] as const;
  const [{ data }] = await arraysOf([
    new ElucidatedDiffusion({ pMean: -1, pStd: 0.8 }).drawTimes(new RandomStream(key), 4000),
  ]);
  const logs = Array.from(data, (t) => 4 * t);
  const mean = logs.reduce((a, b) => a + b) / logs.length;
  const deviation = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logs.length);
  expect(Math.abs(mean + 1)).toBeLessThan((3.3 * 0.8) / Math.sqrt(4000));
  expect(Math.abs(deviation - 0.8)).toBeLessThan((3.3 * 0.8) / Math.sqrt(8000));
});

test.each([
  [{ sigmaData: 0 }, `sigmaData: must be from ${2 ** -24} to ${2 ** 24}, got 0`],
  [{ sigmaData: 1e-300 }, "sigmaData: must be from"],
  [{ pMean: NaN }, "pMean +- 6 pStd within -40 and 40, got NaN and 1.2"],
  [{ pMean: 1000 }, "pMean +- 6 pStd within -40 and 40, got 1000 and 1.2"],
  [{ pStd: -1 }, "pStd must be above 0, got -1"],
  [{ pStd: 1e9 }, "within -40 and 40, got -1.2 and 1000000000"],
  [{ sigmaMax: Infinity }, `sigmaMax: must be from ${2 ** -24} to ${2 ** 24}, got Infinity`],
  [{ sigmaMax: -1 }, "sigmaMax: must be from"],
  [{ sigmaMin: 1e-300 }, "sigmaMin: must be from"],
  [{ sigmaMin: 90 }, "sigmaMin must be below sigmaMax, got 90 and 80"],
  [{ samplingTimesteps: 0 }, "samplingTimesteps: must be a whole number of at least 1, got 0"],
])("refuses %o", (options, message) => {
  expect(() => new ElucidatedDiffusion(options)).toThrow(message);
});

test.each<[SamplerSettings, string]>([
  [
    { sampler: "ddim", timestepSpacing: "trailing" },
    "ddim: takes timestepSpacing karras alone where the model knows no",
  ],
  [{ timesteps: [3, 1] }, "where the model knows no timesteps, got timesteps"],
  [{ sampler: "ddpm", varianceType: "learnedRange" }, "needs a model that learned its variance, this one has none"],
  [{ sampler: "ddpm", varianceType: "learned" }, "learned needs a model that learned its variance, this one has none"],
])("plans nothing with %o", (options, message) => {
  expect(() => diffusion.plan(options)).toThrow(message);
});

describe("samples", () => {
  test("are in 18 steps of Heun's method, 35 evaluations, over the paper's levels", () => {
    const { sampler, steps } = diffusion.plan();
    expect([sampler, steps.length]).toEqual(["heun", 35]);
    const rhos = steps.filter((_, i) => i % 2 === 0).map(({ level }) => rhoOf(level));
    for (const [i, rho] of rhos.entries()) expect(rho / recorded.levels[i]).toBeCloseTo(1, 9);
    expect(steps[0].level.timestep).toBeCloseTo(Math.log(80) / 4, 9);
  });

  test.each(["heun", "euler", "lms", "dpmSolver++2M"] as const)("by %s are k-diffusion's", async (sampler) => {
    const scaled = recorded.start.map((value) => (value * 80) / Math.hypot(1, 80));
    const start = ndarray(scaled, [4, 1, 1, 1]);
    const { data } = await diffusion.sample(network, { start, sampler, backend });
    expect(largestDifference(data, recorded.samples[sampler])).toBeLessThan(2e-4);
  });

  const components = [
    { weight: 0.3, mean: -0.6, deviation: 0.12 },
    { weight: 0.7, mean: 0.4, deviation: 0.2 },
  ];
  /** F of the exact E[x_0 | X] of such pixels. */
  const exact: Denoiser = {
    channels: 1,
    forward(input, t) {
      const rho = t.multiply(4).exp().reshape([input.shape[0], 1, 1, 1]);
      const whole = rho.square().add(0.25);
      const X = input.multiply(whole.sqrt());
      const views = components.map(({ weight, mean, deviation }) => {
        const variance = rho.square().add(deviation ** 2);
        const surprise = X.subtract(mean);
        const log = surprise.square().divide(variance.multiply(-2)).subtract(variance.log().multiply(0.5));
        return {
          log: log.add(Math.log(weight)),
          xStart: surprise
            .multiply(deviation ** 2)
            .divide(variance)
            .add(mean),
        };
      });
      const [a, b] = views;
      const share = a.log.subtract(b.log).sigmoid();
      const xStart = b.xStart.add(a.xStart.subtract(b.xStart).multiply(share));
      const skipped = X.multiply(0.25).divide(whole);
      return xStart.subtract(skipped).divide(rho.multiply(0.5).divide(whole.sqrt()));
    },
  };

  test("are made again by ddim from the noise that they are inverted to", async () => {
    // Where such pixels are: between the components noise and images hardly have to do with each other.
    const values = Array.from({ length: 16 }, (_, i) => (i < 6 ? -0.75 + 0.06 * i : 0.1 + 0.06 * (i - 6)));
    const images = ndarray(values, [1, 4, 4, 1]);
    const errors: number[] = [];
    for (const steps of [160, 320]) {
      const start = await diffusion.invert(exact, images, { steps, backend });
      const { data } = await diffusion.sample(exact, { start, steps, sampler: "ddim", backend });
      errors.push(largestDifference(data, values));
    }
    // The first order: half the error in twice the steps.
    expect(errors[1] / errors[0]).toBeGreaterThan(0.4);
    expect(errors[1] / errors[0]).toBeLessThan(0.6);
  });

  test("keep what is known of them when inpainting", async () => {
    const image = ndarray(new Float32Array(64).fill(0.3), [1, 8, 8, 1]);
    const mask = ndarray(
      Float32Array.from({ length: 64 }, (_, i) => i % 2),
      [1, 8, 8, 1],
    );
    const { data } = await diffusion.sample(exact, { image, mask, resamples: 1, seed: 2, backend });
    for (const [i, value] of data.entries()) if (i % 2 === 0) expect(value).toBeCloseTo(0.3, 5);
    expect(new Set(data).size).toBeGreaterThan(30);
  });

  test.each<[SamplerSettings, number]>([
    [{}, 0.015],
    [{ sampler: "dpmSolver++2M" }, 0.02],
    [{ sampler: "uniPC" }, 0.02],
    [{ sampler: "edm", steps: 40, sNoise: 1 }, 0],
    [{ sampler: "eulerAncestral", steps: 150 }, 0],
    [{ sampler: "ddpm", steps: 150 }, 0],
  ])("of a mixture whose network is known are from the mixture, with %o", async (settings, ofSolver) => {
    const count = 60 * 60;
    const options = { ...settings, batchSize: 1, imageSize: 60, seed: 4, backend } as const;
    const { data } = await diffusion.sample(exact, options);
    const mixture = new GaussianMixture(components);
    // One in a thousand sets of as many right samples is further off.
    const limit = 1.95 / Math.sqrt(count) + ofSolver;
    expect(kolmogorovSmirnov([...data], (x) => mixture.distribution(x))).toBeLessThan(limit);
  });
});

test("a network is told classes and its own estimate too", async () => {
  const seen: Conditions[] = [];
  const spy: Denoiser = {
    channels: 1,
    conditions: { ...classCondition(3), ...selfCondition },
    forward(x, _t, conditions = {}) {
      seen.push(conditions);
      return x.multiply(0);
    },
  };
  const classes = ndarray([2, 0, 1, 1, 0], [count], "i32");
  await evaluate(
    (x, t, z, classes) => {
      const estimate = diffusion.estimateXStart(spy, diffusion.qSample(x, t, z), t, { classes });
      return diffusion.losses(spy, x, t, z, { classes, selfCondition: estimate });
    },
    clean,
    t,
    noise,
    classes,
  );
  expect(seen.map(({ classes, selfCondition }) => [classes?.shape, selfCondition?.shape])).toEqual([
    [[count], undefined],
    [[count], [count, 1, 2, 1]],
  ]);
  seen.length = 0;
  await diffusion.sample(spy, { classes: [2, 0], imageSize: 2, steps: 2, backend });
  expect(seen.map(({ classes, selfCondition }) => [classes?.shape, selfCondition?.shape])).toEqual([
    [[2], [2, 2, 2, 1]],
  ]);
});

test("x is scaled to variance 1", async () => {
  const zeros = tensorOf(new Array<number>(10).fill(0), [count, 1, 2, 1]);
  const ones = tensorOf(new Array<number>(10).fill(1), [count, 1, 2, 1]);
  const [signal, noisy] = await Promise.all([
    evaluate((t) => diffusion.qSample(ones, t, zeros), t),
    evaluate((t) => diffusion.qSample(zeros, t, ones), t),
  ]);
  for (const [i, value] of signal.data.entries()) expect(value ** 2 + noisy.data[i] ** 2).toBeCloseTo(1, 5);
});
