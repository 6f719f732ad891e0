import { describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { Random } from "../../../test/support/random.ts";
import { tensorOf, valuesOf } from "../../../test/support/reference.ts";
import { grad } from "../../tensor/autodiff/grad.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { concatenate, valueOf } from "../../tensor/tensor.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import type { Denoiser, VarianceType } from "../denoiser.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { boundTerm, normalKl } from "./variational-bound.ts";

const timesteps = 20;
const shape = [3, 1, 2, 1];
const t = ndarray([0, 7, 19], [3], "i32");
const xStart = ndarray(
  [0, 31, 255, 254, 128, 90].map((byte) => byte / 127.5 - 1),
  shape,
);
const noise = new Random(2).array(shape);

describe("the divergence of normal distributions", () => {
  const normal = (mean: number, deviation: number) => ({
    mean: tensorOf([mean]),
    logVariance: tensorOf([2 * Math.log(deviation)]),
  });

  test("is log(s / r) + (r^2 + d^2) / (2 s^2) - 1/2", async () => {
    const [[far], [same]] = await Promise.all([
      valuesOf(normalKl(normal(0.3, 0.5), normal(-0.4, 2))),
      valuesOf(normalKl(normal(0.3, 0.5), normal(0.3, 0.5))),
    ]);
    expect(far).toBeCloseTo(Math.log(4) + (0.25 + 0.49) / 8 - 0.5, 6);
    expect(same).toBe(0);
  });
});

describe("p(x_(t-1) | x_t)", () => {
  const { schedule } = new GaussianDiffusion({ timesteps });
  const times = [0, 7, 19];
  // At t = 0 the posterior has no variance, and that of t = 1 stands in for it.
  const small = times.map((t) => Math.log(schedule.posteriorVariance[Math.max(t, 1)]));
  const large = times.map((t) => Math.log(schedule.betas[t]));

  async function logVariances(varianceType: VarianceType, v: number): Promise<number[]> {
    const diffusion = new GaussianDiffusion({ timesteps, varianceType });
    const variance = varianceType === "learnedRange" ? tensorOf(new Array<number>(6).fill(v), shape) : undefined;
    const output = { prediction: tensorOf(new Array<number>(6).fill(0), shape), variance };
    const { data } = await evaluate(
      (x, t) => diffusion.reverseStep(output, x, t).logVariance.add(x.multiply(0)),
      xStart,
      t,
    );
    return [0, 2, 4].map((i) => data[i]);
  }

  test("has the variances of Ho et al., and learned ones between them by their logarithms", async () => {
    const close = async (type: VarianceType, v: number, expected: readonly number[]) =>
      expect(largestDifference(await logVariances(type, v), expected)).toBeLessThan(1e-5);
    await close("fixedSmall", 0, small);
    await close("fixedLarge", 0, [small[0], large[1], large[2]]);
    await close("learnedRange", -1, small);
    await close("learnedRange", 1, large);
    await close(
      "learnedRange",
      0.5,
      small.map((low, i) => low + 0.75 * (large[i] - low)),
    );
  });
});

describe("a learned variance", () => {
  const scale = new Variable("scale", [], { data: Float32Array.of(0.7) });
  const v = new Variable("v", [], { data: Float32Array.of(0.2) });
  const model: Denoiser = {
    channels: 1,
    forward: (x) => concatenate([x.multiply(valueOf(scale)), x.multiply(0).add(valueOf(v))], 3),
  };
  const meanOnly: Denoiser = { channels: 1, forward: (x) => x.multiply(valueOf(scale)) };
  const hybrid = new GaussianDiffusion({ timesteps, varianceType: "learnedRange", vbLossWeight: 0.01 });
  const simple = new GaussianDiffusion({ timesteps });
  const bound = new GaussianDiffusion({ timesteps, varianceType: "learnedRange", lossType: "vlb" });

  const lossesOf = async (diffusion: GaussianDiffusion, model: Denoiser) =>
    (await evaluate((x, t, z) => diffusion.losses(model, x, t, z), xStart, t, noise)).data;
  const gradientOf = async (diffusion: GaussianDiffusion, model: Denoiser, variable: Variable) => {
    const byVariable = (x: Tensor, t: Tensor, z: Tensor) =>
      grad(diffusion.pLosses(model, x, t, z), [valueOf(variable)])[0];
    return (await evaluate((x, t, z) => byVariable(x, t, z), xStart, t, noise)).data[0];
  };

  test("adds vbLossWeight times T L_t, in bits per dimension, to L_simple", async () => {
    const [both, ofMean, ofBound] = await Promise.all([
      lossesOf(hybrid, model),
      lossesOf(simple, meanOnly),
      lossesOf(bound, model),
    ]);
    expect(
      largestDifference(
        both,
        Array.from(ofMean, (loss, i) => loss + 0.01 * ofBound[i]),
      ),
    ).toBeLessThan(1e-5);
    const terms = await evaluate(
      (x, t, z) => {
        const noisy = bound.qSample(x, t, z);
        const step = bound.reverseStep(bound.modelOutput(model, noisy, t), noisy, t, { clipDenoised: false });
        return boundTerm(bound, x, noisy, t, step);
      },
      xStart,
      t,
      noise,
    );
    expect(
      largestDifference(
        ofBound,
        Array.from(terms.data, (term) => timesteps * term),
      ),
    ).toBeLessThan(1e-4);
  });

  test("is taught by the bound, and the mean by L_simple alone", async () => {
    expect(await gradientOf(hybrid, model, scale)).toBeCloseTo(await gradientOf(simple, meanOnly, scale), 5);
    const ofBound = await gradientOf(bound, model, v);
    expect(Math.abs(ofBound)).toBeGreaterThan(0.1);
    expect(await gradientOf(hybrid, model, v)).toBeCloseTo(0.01 * ofBound, 5);
    expect(await gradientOf(bound, model, scale)).not.toBeCloseTo(0, 1);
  });

  test("must be in the model's output, and in none other", async () => {
    const message =
      "diffusion: the model must return twice the channels of its input, to learn the variance, [3,1,2,2]";
    await expect(lossesOf(hybrid, meanOnly)).rejects.toThrow(`${message}, got [3,1,2,1]`);
    await expect(lossesOf(simple, model)).rejects.toThrow("images shaped as its input, [3,1,2,1], got [3,1,2,2]");
    expect(() => simple.plan({ sampler: "ddpm", varianceType: "learnedRange" })).toThrow(
      "varianceType: learnedRange needs a model that learned its variance, this one has fixedSmall",
    );
    expect(() => simple.plan({ sampler: "ddpm", varianceType: "learned" })).toThrow(
      "varianceType: learned needs a model that learned its variance, this one has fixedSmall",
    );
    expect(() => hybrid.plan({ sampler: "ddim", varianceType: "learnedRange" })).toThrow("ddim: has no varianceType");
  });
});
