import { afterAll, describe, expect, test } from "vitest";
import { evaluate, largestDifference } from "../../../test/support/evaluate.ts";
import { GaussianDenoiser } from "../../../test/support/gaussian-denoiser.ts";
import { hostSamplerNames, sampleOnHost } from "../../../test/support/host-sampling.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import { normalRows } from "../../tensor/random.ts";
import { concatenate, scalar } from "../../tensor/tensor.ts";
import type { Denoiser } from "../denoiser.ts";
import type { Objective } from "../objectives/objective.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import type { NoiseLevel } from "../process/noise-level.ts";
import { samplerNames } from "../samplers/registry.ts";
import type { SamplerStep } from "../samplers/parts/sampler.ts";
import { linearBetaSchedule } from "../process/schedules.ts";

const backends = [ReferenceBackend.create(), await createWasmBackend({ threads: 1 })] as const;
const [, wasm] = backends;
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

const betas = linearBetaSchedule(1000);
const shape = [2, 2, 3, 1];
const start = new Random(4).array(shape);
const seed = 11;

/** A network in closed form, for whole timesteps and others, that depends on them and is not linear. */
const model: Denoiser = {
  channels: 1,
  forward: (x, t) =>
    x.multiply(0.6).add(
      x
        .multiply(2)
        .add(t.convert("f32").divide(300).reshape([2, 1, 1, 1]))
        .sin()
        .multiply(0.4),
    ),
};
const modelOnHost = (x: number, { alpha, sigma, timestep }: NoiseLevel): number => {
  const noise = 0.6 * x + 0.4 * Math.sin(2 * x + timestep / 300);
  return Math.min(1, Math.max(-1, (x - sigma * noise) / alpha));
};

/** The noise of each step of a seed. */
async function drawn(steps: number): Promise<readonly ArrayLike<number>[]> {
  const noise = Array.from({ length: steps }, (_, step) =>
    evaluate(() => normalRows([scalar(seed, "u32"), scalar(step, "u32")], scalar(0, "u32"), shape)),
  );
  return (await Promise.all(noise)).map(({ data }) => data);
}

describe.each(backends)("on the $name backend", (backend) => {
  const diffusion = new GaussianDiffusion({ betas });
  afterAll(() => diffusion.dispose());

  test.each(hostSamplerNames)("%s takes the steps of its plan", async (sampler) => {
    const options = { sampler, steps: 12 } as const;
    const { steps } = diffusion.plan(options);
    const size = { batchSize: 2, imageSize: [2, 3] } as const;
    const samples = await diffusion.sample(model, { ...options, ...size, backend, start, seed, returnSteps: "all" });
    const noise = await drawn(steps.length);
    for (const [i, value] of start.data.entries()) {
      const draws = steps.flatMap(({ x: { z = 0 } }, step) => (z === 0 ? [] : [noise[step][i]]));
      const expected = sampleOnHost(steps, modelOnHost, value, () => draws.shift() ?? NaN);
      const ours = samples.steps.map(({ images }) => images.data[i]);
      expect(largestDifference(ours, expected)).toBeLessThan(1e-4);
    }
  });

  test.each(["ddpm", "euler"] as const)("%s inpaints as its plan does", async (sampler) => {
    const options = { sampler, steps: 6, resamples: 2, jumpLength: 2 } as const;
    const { steps } = diffusion.plan(options);
    const image = new Random(5).array(shape);
    const mask = ndarray([1, 1, 0, 0, 1, 0], [1, 2, 3, 1]);
    const samples = await diffusion.sample(model, {
      ...options,
      backend,
      start,
      image,
      mask,
      seed,
      returnSteps: "all",
    });
    const noise = await drawn(steps.length);
    for (const [i, value] of start.data.entries()) {
      const known = mask.data[i % 6] === 0 ? image.data[i] : undefined;
      const fresh = (_: number, step: SamplerStep): number => noise[steps.indexOf(step)][i];
      const expected = sampleOnHost(steps, modelOnHost, value, fresh, known);
      const ours = samples.steps.map(({ images }) => images.data[i]);
      expect(largestDifference(ours, expected)).toBeLessThan(1e-4);
    }
  });
});

test("ddpm draws with the variance that the network learned for each pixel", async () => {
  const diffusion = new GaussianDiffusion({ betas, varianceType: "learnedRange" });
  const learns: Denoiser = {
    channels: 1,
    forward: (x, t) => concatenate([model.forward(x, t), x.multiply(3).cos()], 3),
  };
  const options = { sampler: "ddpm", steps: 12 } as const;
  const { steps } = diffusion.plan(options);
  const size = { batchSize: 2, imageSize: [2, 3] } as const;
  const samples = await diffusion.sample(learns, { ...options, ...size, backend: wasm, start, seed });
  const noise = await drawn(steps.length);
  const expected = Array.from(start.data, (value, i) => {
    const fresh = (x: number, step: SamplerStep): number =>
      noise[steps.indexOf(step)][i] * Math.exp((step.varianceSpread ?? 0) * Math.cos(3 * x));
    return sampleOnHost(steps, modelOnHost, value, fresh).at(-1) ?? NaN;
  });
  expect(largestDifference(samples.data, expected)).toBeLessThan(1e-4);
  // What learned nothing, or is told to leave it, draws otherwise.
  const { data } = await diffusion.sample(learns, {
    ...options,
    ...size,
    backend: wasm,
    start,
    seed,
    varianceType: "fixedSmall",
  });
  expect(largestDifference(data, expected)).toBeGreaterThan(1e-3);
  diffusion.dispose();
});

describe("samplers", () => {
  const truth = new GaussianDenoiser(betas, 0.2, 0.4);
  const samplersOf = samplerNames.filter((name) => name !== "edm" && name !== "heun");

  test.each(samplersOf)("%s makes the same of a network's noise, clean images and v", async (sampler) => {
    const options = { sampler, steps: 8, batchSize: 2, imageSize: [2, 3], seed: 3, backend: wasm } as const;
    const make = async (objective: Objective): Promise<ArrayLike<number>> => {
      const byNoise = new GaussianDiffusion({ betas });
      const diffusion = new GaussianDiffusion({ betas, objective });
      // The same knowledge, in the words of the objective.
      const model: Denoiser = {
        channels: 1,
        forward: (x, t) => {
          const noise = truth.forward(x, t);
          return diffusion.target(byNoise.predictXStart(x, t, noise), t, noise);
        },
      };
      const { data } = await diffusion.sample(model, options);
      diffusion.dispose();
      return data;
    };
    const [byNoise, byStart, byV] = [await make("predNoise"), await make("predX0"), await make("predV")];
    expect(largestDifference(byStart, byNoise)).toBeLessThan(1e-4);
    expect(largestDifference(byV, byNoise)).toBeLessThan(1e-4);
  });

  test("start from a timestep without signal, if the network predicts v", async () => {
    const diffusion = new GaussianDiffusion({ betas, objective: "predV", rescaleBetasZeroSnr: true });
    expect(diffusion.schedule.alphasCumprod[999]).toBe(0);
    // v = -x_0 there, and everywhere for the images 0.25.
    const flat: Denoiser = {
      channels: 1,
      forward: (x, t) => {
        const xStart = x.multiply(0).add(0.25);
        return diffusion.target(xStart, t, diffusion.predictNoise(x, t, xStart));
      },
    };
    for (const sampler of samplersOf) {
      const size = { batchSize: 2, imageSize: [2, 3], seed: 3, backend: wasm } as const;
      const { data } = await diffusion.sample(flat, { ...size, sampler, steps: 6, timestepSpacing: "trailing" });
      expect(largestDifference(data, new Float32Array(12).fill(0.25)), sampler).toBeLessThan(1e-4);
    }
    diffusion.dispose();
    const message = "objective: predNoise finds no image where no signal is left (the last beta is 1); take predV";
    expect(() => new GaussianDiffusion({ betas, rescaleBetasZeroSnr: true })).toThrow(message);
  });
});

describe("programs", () => {
  const options = { batchSize: 2, imageSize: [2, 3], seed, backend: wasm, steps: 5 } as const;

  test("are shared by samplers that need as much memory, and traced once for all steps", async () => {
    const diffusion = new GaussianDiffusion({ betas });
    let traced = 0;
    const counted: Denoiser = { channels: 1, forward: (x, t) => (traced++, model.forward(x, t)) };
    for (const sampler of ["ddim", "euler", "ddim"] as const) await diffusion.sample(counted, { ...options, sampler });
    expect(traced).toBe(1);
    await diffusion.sample(counted, { ...options, sampler: "lms" });
    await diffusion.sample(counted, { ...options, sampler: "pndm" });
    expect(traced).toBe(2);
    diffusion.dispose();
  });

  test("are not shared by calls at the same time", async () => {
    const diffusion = new GaussianDiffusion({ betas });
    const seeds = [1, 2, 3];
    const draw = (seed: number): Promise<{ readonly data: ArrayLike<number> }> =>
      diffusion.sample(model, { ...options, seed, sampler: "dpmSolver++2M" });
    const together = await Promise.all(seeds.map(draw));
    for (const [i, seed] of seeds.entries()) expect((await draw(seed)).data).toEqual(together[i].data);
    // One from inside another.
    let inner: ArrayLike<number> | undefined;
    await diffusion.sample(model, {
      ...options,
      sampler: "dpmSolver++2M",
      onStep: async ({ step }) => {
        if (step === 2) inner = (await draw(2)).data;
      },
    });
    expect(inner).toEqual(together[1].data);
    diffusion.dispose();
  });

  test("begin with nothing in memory", async () => {
    const diffusion = new GaussianDiffusion({ betas });
    const first = await diffusion.sample(model, { ...options, sampler: "deis" });
    const controller = new AbortController();
    const stopped = diffusion.sample(model, {
      ...options,
      start: ndarray(new Float32Array(12).fill(3e38), shape),
      sampler: "deis",
      signal: controller.signal,
      onStep: () => controller.abort(new Error("enough")),
    });
    await expect(stopped).rejects.toThrow("enough");
    expect((await diffusion.sample(model, { ...options, sampler: "deis" })).data).toEqual(first.data);
    diffusion.dispose();
  });
});

test("pSample, step by step, is pSampleLoop", async () => {
  const diffusion = new GaussianDiffusion({ betas: linearBetaSchedule(6) });
  const all = await diffusion.pSampleLoop(model, {
    batchSize: 2,
    imageSize: [2, 3],
    seed,
    backend: wasm,
    returnSteps: "all",
  });
  let x = all.steps[0].images;
  for (let t = 5; t >= 0; t--) {
    x = await diffusion.pSample(model, x, t, { seed, backend: wasm });
    expect(x.data).toEqual(all.steps[6 - t].images.data);
  }
  const wrong = ndarray([1], [1]);
  await expect(diffusion.pSample(model, x, 0, { noise: wrong, backend: wasm })).rejects.toThrow(
    "pSample: noise must be f32 [2,2,3,1], got f32 [1]",
  );
});
