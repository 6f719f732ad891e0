import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../test/support/evaluate.ts";
import { Random } from "../../test/support/random.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { full } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Denoiser } from "./denoiser.ts";
import type { Objective } from "./objectives/objective.ts";
import { GaussianDiffusion } from "./gaussian-diffusion.ts";
import { linearBetaSchedule } from "./process/schedules.ts";

const betas = linearBetaSchedule(50, { betaEnd: 0.2 });
const process = new GaussianDiffusion({ betas });
const { schedule } = process;
const random = new Random(1);
const shape = [3, 2, 2, 1];
const [xStart, noise] = [random.array(shape), random.array(shape)];
const t = ndarray([0, 20, 49], [3], "i32");

const perImage = (value: (t: number, i: number) => number): number[] =>
  [0, 20, 49].flatMap((t, image) => Array.from({ length: 4 }, (_, i) => value(t, image * 4 + i)));

const model = (forward: Denoiser["forward"]): Denoiser => ({ channels: 1, forward });

describe("the forward process", () => {
  test("mixes images and noise by each image's timestep", async () => {
    const x = await evaluate((...args) => process.qSample(...(args as [Tensor, Tensor, Tensor])), xStart, t, noise);
    const expected = perImage((t, i) => {
      const abar = schedule.alphasCumprod[t];
      return Math.sqrt(abar) * xStart.data[i] + Math.sqrt(1 - abar) * noise.data[i];
    });
    expect(largestDifference(x.data, expected)).toBeLessThan(1e-6);
  });

  test("takes one timestep for all images too", async () => {
    const at = (t: number, shape: readonly number[]) =>
      evaluate(
        (x, t, z) => process.qSample(x, t, z),
        xStart,
        ndarray(new Int32Array(shape[0] ?? 1).fill(t), shape),
        noise,
      );
    expect((await at(20, [])).data).toEqual((await at(20, [3])).data);
  });

  test("arrives step by step where it arrives at once", async () => {
    // Steps of independent noises z_s add up to abar: the images' factor and the noises' squared factors are known.
    const last = 9;
    const walk = (x: Tensor, z: Tensor, noisyStep: number): Tensor => {
      let y = x;
      for (let s = 0; s <= last; s++) {
        y = process.qStep(y, full([], s, "i32"), s === noisyStep ? z : z.multiply(0));
      }
      return y;
    };
    const ones = ndarray(new Float32Array(4).fill(1), [1, 2, 2, 1]);
    const zeros = ndarray(new Float32Array(4), [1, 2, 2, 1]);
    const signal = (await evaluate((x, z) => walk(x, z, 0), ones, zeros)).data[0];
    let variance = 0;
    for (let s = 0; s <= last; s++) variance += (await evaluate((x, z) => walk(x, z, s), zeros, ones)).data[0] ** 2;
    expect(signal).toBeCloseTo(Math.sqrt(schedule.alphasCumprod[last]), 5);
    expect(variance).toBeCloseTo(1 - schedule.alphasCumprod[last], 5);
  });

  test("refuses timesteps that do not go with the images", async () => {
    const two = ndarray([1, 2], [2], "i32");
    await expect(evaluate((x, t, z) => process.qSample(x, t, z), xStart, two, noise)).rejects.toThrow(
      "t: must hold one integer for each of 3 images, got i32 [2]",
    );
    const float = ndarray([1, 2, 3], [3], "f32");
    await expect(evaluate((x, t, z) => process.qSample(x, t, z), xStart, float, noise)).rejects.toThrow("got f32 [3]");
  });
});

describe("the way back", () => {
  const noisy = (x: Tensor, t: Tensor, z: Tensor): Tensor => process.qSample(x, t, z);

  test("finds images from noise, and noise from images", async () => {
    const start = await evaluate((x, t, z) => process.predictXStart(noisy(x, t, z), t, z), xStart, t, noise);
    expect(largestDifference(start.data, xStart.data)).toBeLessThan(1e-5);
    const found = await evaluate((x, t, z) => process.predictNoise(noisy(x, t, z), t, x), xStart, t, noise);
    expect(largestDifference(found.data, noise.data)).toBeLessThan(2e-5);
  });

  test("finds images from v", async () => {
    const start = await evaluate(
      (x, t, z) => process.predictXStartFromV(noisy(x, t, z), t, process.predictV(x, t, z)),
      xStart,
      t,
      noise,
    );
    expect(largestDifference(start.data, xStart.data)).toBeLessThan(1e-6);
  });

  test("has the mean of equation 11, which is that of equation 7 at the predicted images", async () => {
    const x = random.array(shape);
    const byNoise = await evaluate((x, t, z) => process.pMean(x, t, z), x, t, noise);
    const expected = perImage((t, i) => {
      const [beta, alpha, abar] = [schedule.betas[t], schedule.alphas[t], schedule.alphasCumprod[t]];
      return (x.data[i] - (beta / Math.sqrt(1 - abar)) * noise.data[i]) / Math.sqrt(alpha);
    });
    expect(largestDifference(byNoise.data, expected)).toBeLessThan(1e-6);
    const byStart = await evaluate(
      (x, t, z) => process.qPosteriorMean(process.predictXStart(x, t, z), x, t),
      x,
      t,
      noise,
    );
    expect(largestDifference(byStart.data, expected)).toBeLessThan(2e-5);
  });
});

describe("a network's predictions", () => {
  const small = { ...xStart, data: xStart.data.map((value) => value / 10) } as typeof xStart;

  test.each<Objective>(["predNoise", "predX0", "predV"])("are noise and images under %s", async (objective) => {
    const process = new GaussianDiffusion({ betas, objective, clipDenoised: false });
    const view = (part: "noise" | "xStart") => (x: Tensor, t: Tensor, z: Tensor) => {
      const perfect = model(() => process.target(x, t, z));
      return process.modelPredictions(perfect, process.qSample(x, t, z), t)[part];
    };
    expect(largestDifference((await evaluate(view("xStart"), small, t, noise)).data, small.data)).toBeLessThan(1e-5);
    expect(largestDifference((await evaluate(view("noise"), small, t, noise)).data, noise.data)).toBeLessThan(2e-5);
  });

  test("are clipped to [-1, 1], and the noise then agrees with the clipped images", async () => {
    const x = { ...xStart, data: xStart.data.map((value) => value * 3) } as typeof xStart;
    const zero = model((x) => x.multiply(0));
    const start = await evaluate((x, t) => process.modelPredictions(zero, x, t).xStart, x, t);
    const expected = perImage((t, i) => Math.min(1, Math.max(-1, x.data[i] / Math.sqrt(schedule.alphasCumprod[t]))));
    expect(largestDifference(start.data, expected)).toBeLessThan(1e-6);
    const back = await evaluate(
      (x, t) => {
        const { xStart, noise } = process.modelPredictions(zero, x, t);
        return process.qSample(xStart, t, noise);
      },
      x,
      t,
    );
    expect(largestDifference(back.data, x.data)).toBeLessThan(1e-5);
  });

  test("must be shaped as the images", async () => {
    const narrow = model((x) => x.slice(2, 0, 1));
    await expect(evaluate((x, t) => process.modelPredictions(narrow, x, t).xStart, xStart, t)).rejects.toThrow(
      "diffusion: the model must return images shaped as its input, [3,2,2,1], got [3,2,1,1]",
    );
  });
});
