import { describe, expect, test } from "vitest";
import { selfCondition } from "../models/conditions/self-condition.ts";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { Random } from "../../test/support/random.ts";
import { Unet } from "../models/unet/unet.ts";
import { grad } from "../tensor/autodiff/grad.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { concatenate, literal, scalar, valueOf } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Variable } from "../tensor/variable.ts";
import type { Denoiser } from "./denoiser.ts";
import type { Objective } from "./objectives/objective.ts";
import { GaussianDiffusion } from "./gaussian-diffusion.ts";
import type { LossType } from "./objectives/loss-type.ts";

const zero: Denoiser = { channels: 1, forward: (x) => x.multiply(0) };
const t = ndarray([0, 9], [2], "i32");
const xStart = new Random(1).array([2, 1, 2, 1]);
const noise = ndarray([0.5, -2, 3, 0], [2, 1, 2, 1]);

describe("the loss", () => {
  test.each<[LossType, number]>([
    ["l1", (0.5 + 2 + 3) / 4],
    ["l2", (0.25 + 4 + 9) / 4],
    ["huber", (0.125 + 1.5 + 2.5) / 4],
  ])("%s of a network that answers 0 is that of the noise", async (lossType, expected) => {
    const diffusion = new GaussianDiffusion({ timesteps: 10, lossType });
    const loss = await evaluate((x, t, z) => diffusion.pLosses(zero, x, t, z), xStart, t, noise);
    expect(loss.shape).toEqual([]);
    expect(loss.data[0]).toBeCloseTo(expected, 6);
  });

  test.each<Objective>(["predNoise", "predX0", "predV"])("is 0 for a perfect network under %s", async (objective) => {
    const diffusion = new GaussianDiffusion({ timesteps: 10, objective });
    const lossOf = (x: Tensor, t: Tensor, z: Tensor): Tensor =>
      diffusion.pLosses({ channels: 1, forward: () => diffusion.target(x, t, z) }, x, t, z);
    expect((await evaluate(lossOf, xStart, t, noise)).data[0]).toBe(0);
  });

  test("shows the network x_t, t and the self-condition", async () => {
    const diffusion = new GaussianDiffusion({ timesteps: 10, lossType: "l1" });
    const known = ndarray([5, 6, 7, 8], [2, 1, 2, 1]);
    const seen: (Tensor | undefined)[] = [];
    const spy: Denoiser = {
      channels: 1,
      conditions: selfCondition,
      forward: (x, t, { selfCondition } = {}) => {
        seen.push(x, t, selfCondition);
        return selfCondition ?? x;
      },
    };
    await evaluate(
      (x, t, z, known) => diffusion.pLosses(spy, x, t, z, { selfCondition: known }),
      xStart,
      t,
      noise,
      known,
    );
    expect(seen.map((tensor) => tensor?.shape)).toEqual([[2, 1, 2, 1], [2], [2, 1, 2, 1]]);
  });
});

describe("training with self-condition", () => {
  const diffusion = new GaussianDiffusion({ timesteps: 10, lossType: "l2" });

  test("takes the network's own estimate, clipped, without a gradient through it", async () => {
    const factor = new Variable("factor", [], { data: Float32Array.of(0.5) });
    const model: Denoiser = {
      channels: 1,
      conditions: selfCondition,
      forward: (x, _t, { selfCondition = 0 } = {}) => x.add(selfCondition).multiply(valueOf(factor)),
    };
    const run = (x: Tensor, t: Tensor, z: Tensor): [Tensor, Tensor] => {
      const estimate = diffusion.estimateXStart(model, diffusion.qSample(x, t, z), t);
      return [diffusion.pLosses(model, x, t, z, { selfCondition: estimate }), estimate];
    };
    const estimate = await evaluate((x, t, z) => run(x, t, z)[1], xStart, t, noise);
    expect(Math.max(...estimate.data.map(Math.abs))).toBeLessThanOrEqual(1);
    const gradient = await evaluate((x, t, z) => grad(run(x, t, z)[0], [valueOf(factor)])[0], xStart, t, noise);
    // d/df mean((f (x + c) - z)^2) with the estimate c held.
    const noisy = await evaluate((x, t, z) => diffusion.qSample(x, t, z), xStart, t, noise);
    const terms = [...noisy.data].map((x, i) => {
      const input = x + estimate.data[i];
      return 2 * (0.5 * input - noise.data[i]) * input;
    });
    expect(gradient.data[0]).toBeCloseTo(terms.reduce((a, b) => a + b, 0) / 4, 5);
  });

  test("makes a U-Net's estimate without self-condition", async () => {
    const model = new Unet({ dim: 8, channels: 1, dimMults: [1], selfCondition: true, attentionHeads: 1 });
    const x = new Random(2).array([2, 2, 2, 1]);
    const both = await evaluate(
      (x, t) =>
        concatenate(
          [
            diffusion.estimateXStart(model, x, t),
            diffusion.modelPredictions(model, x, t, { selfCondition: x.multiply(0) }).xStart,
          ],
          0,
        ),
      x,
      t,
    );
    expect(largestDifference(both.data.slice(0, 8), both.data.slice(8))).toBe(0);
  });
});

describe("the options", () => {
  test("give either betas or a schedule by name", () => {
    const named = new GaussianDiffusion({ timesteps: 20, betaSchedule: "cosine" });
    expect(named.timesteps).toBe(20);
    expect(new GaussianDiffusion({ betas: named.schedule.betas }).schedule).toEqual(named.schedule);
    expect(new GaussianDiffusion({ timesteps: 20 }).schedule.betas[19]).toBeCloseTo(0.02, 12);
    const message = "GaussianDiffusion: needs either betas, or timesteps with a betaSchedule";
    expect(() => new GaussianDiffusion({})).toThrow(message);
    expect(() => new GaussianDiffusion({ betas: [0.1], timesteps: 1 })).toThrow(message);
    expect(() => new GaussianDiffusion({ betaSchedule: "linear" })).toThrow(message);
  });

  test("are checked at once", () => {
    const make = (options: object) => () => new GaussianDiffusion({ timesteps: 10, ...options });
    expect(make({ lossType: "l3" })).toThrow("lossType: must be one of l1, l2, huber, vlb, got l3");
    expect(make({ objective: "noise" })).toThrow("objective: must be one of predNoise, predX0, predV, got noise");
    expect(make({ samplingTimesteps: 11 })).toThrow("samplingTimesteps: must be a whole number from 1 to 10, got 11");
    expect(make({ ddimSamplingEta: -1 })).toThrow("ddimSamplingEta: must be from 0 to 1, got -1");
    expect(() => new GaussianDiffusion({ betas: [0.1, 1.5] })).toThrow("betas: must lie between 0 and 1");
  });
});

describe("a timestep that there is not", () => {
  const diffusion = new GaussianDiffusion({ timesteps: 10 });
  const x = literal(ndarray([1, 2], [2, 1, 1, 1]));

  test.each([
    [10, -1],
    [3, 10],
    [-3, 0],
  ])("is refused where its value is known: [%i, %i]", (...values) => {
    const t = literal(ndarray(values, [2], "i32"));
    const wrong = values.find((value) => value < 0 || value > 9);
    const message = `t: must be from 0 to 9, got ${wrong}`;
    expect(() => diffusion.qSample(x, t, x)).toThrow(message);
    expect(() => diffusion.qPosteriorMean(x, x, t)).toThrow(message);
    expect(() => diffusion.predictV(x, scalar(wrong ?? 0, "i32"), x)).toThrow(message);
    expect(() => diffusion.pLosses(zero, x, t, x)).toThrow(message);
  });

  test("is the nearest one to a compiled program, whose values are not known", async () => {
    const qSample = (t: number) =>
      evaluate((x, t) => diffusion.qSample(x, t, x), ndarray([1, 2], [2, 1, 1, 1]), ndarray([t, t], [2], "i32"));
    expect((await qSample(99)).data).toEqual((await qSample(9)).data);
    expect((await qSample(-1)).data).toEqual((await qSample(0)).data);
  });
});

test.each([
  [{ timesteps: 10, loss_type: "l1" }, "GaussianDiffusion: has no option loss_type, did you mean lossType?"],
  [{ timesteps: "10" }, 'GaussianDiffusion: timesteps must be a number, got "10"'],
  [{ betas: 0.1 }, "GaussianDiffusion: betas must be a list of numbers, got 0.1"],
  [{ timesteps: 10, clipDenoised: "no" }, 'GaussianDiffusion: clipDenoised must be true or false, got "no"'],
])("plain JavaScript is told in one line what is wrong with %o", (options, message) => {
  expect(() => new GaussianDiffusion(options as object)).toThrow(message);
});

test.each([
  [{ imageSize: 2, onStep: {} }, "sample: onStep must be a function, got {}"],
  [{ image_size: 2 }, "sample: has no option image_size, did you mean imageSize?"],
  [{ imageSize: 2, classes: 1 }, "sample: classes must be a list of numbers or an array, got 1"],
  [{ imageSize: 2, condscale: 2 }, "sample: has no option condscale, did you mean condScale?"],
])("sampling refuses %o", async (options, message) => {
  const model: Denoiser = { channels: 1, forward: (x) => x };
  await expect(new GaussianDiffusion({ timesteps: 4 }).sample(model, options as object)).rejects.toThrow(message);
});
