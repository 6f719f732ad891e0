import { afterAll, describe, expect, test } from "vitest";
import { ClassDenoiser } from "../../../test/support/class-denoiser.ts";
import { CorrelatedDenoiser } from "../../../test/support/correlated-denoiser.ts";
import { largestDifference } from "../../../test/support/evaluate.ts";
import { GaussianDenoiser } from "../../../test/support/gaussian-denoiser.ts";
import { Random } from "../../../test/support/random.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { concatenate } from "../../tensor/tensor.ts";
import type { Denoiser } from "../denoiser.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { linearBetaSchedule } from "../process/schedules.ts";

const backend = await createWasmBackend({ threads: 1 });
afterAll(() => backend.close());

const [MEAN, DEVIATION] = [0.3, 0.5];
const betas = linearBetaSchedule(1000);
const diffusion = new GaussianDiffusion({ betas, clipDenoised: false });
const truth = new GaussianDenoiser(betas, MEAN, DEVIATION);
const shape = [2, 3, 4, 1];
const images = new Random(6).array(shape);

function momentsOf(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

describe("inversion by DDIM, of normal pixels whose best network is known", () => {
  /** x_T = sqrt(abar) m + (x_0 - m) sqrt(abar s^2 + 1 - abar) / s, where the probability flow leads. */
  const latentOf = (x: number): number => {
    const abar = diffusion.schedule.alphasCumprod[999];
    return Math.sqrt(abar) * MEAN + ((x - MEAN) * Math.sqrt(abar * DEVIATION ** 2 + 1 - abar)) / DEVIATION;
  };
  const errors = async (steps: number): Promise<readonly [latent: number, image: number]> => {
    const latents = await diffusion.invert(truth, images, { steps, backend });
    const again = await diffusion.sample(truth, { start: latents, sampler: "ddim", steps, backend });
    return [
      largestDifference(latents.data, Float32Array.from(images.data, latentOf)),
      largestDifference(again.data, images.data),
    ];
  };

  test("finds the latents of the probability flow and comes back, with errors of order 1", async () => {
    const [coarse, fine] = [await errors(125), await errors(250)];
    for (const i of [0, 1]) {
      expect(fine[i]).toBeLessThan(0.03);
      expect(Math.abs(Math.log2(coarse[i] / fine[i]) - 1)).toBeLessThan(0.12);
    }
  });

  test("does not clip, and sees what is near 1 and -1", async () => {
    const clipping = new GaussianDiffusion({ betas });
    const options = { steps: 20, backend };
    const latents = await clipping.invert(truth, images, options);
    expect(latents.data).toEqual((await diffusion.invert(truth, images, options)).data);
    clipping.dispose();
  });

  test("reports its steps, from the least noise on", async () => {
    const seen: number[] = [];
    await diffusion.invert(truth, images, { steps: 4, backend, onStep: ({ timestep }) => void seen.push(timestep) });
    expect(seen).toEqual([249, 499, 749, 999]);
    await expect(diffusion.invert(truth, ndarray([0, 0], [1, 1, 1, 2]), { backend })).rejects.toThrow(
      "invert: images must be f32 [1,1,1,1], got f32 [1,1,1,2]",
    );
  });
});

describe("sampling from a noised image", () => {
  const options = { seed: 5, steps: 50, backend } as const;

  test("with strength 0 is the image, and with strength 1 sampling from noise alone", async () => {
    const zeroSnr = new GaussianDiffusion({ betas, objective: "predV", rescaleBetasZeroSnr: true });
    const flat: Denoiser = { channels: 1, forward: (x) => x.multiply(-0.5) };
    for (const sampler of ["ddim", "ddpm", "dpmSolver++2M"] as const) {
      const way = { ...options, sampler };
      expect((await zeroSnr.sample(flat, { ...way, init: images, strength: 0 })).data).toEqual(images.data);
      const edited = await zeroSnr.sample(flat, { ...way, init: images, strength: 1 });
      const plain = await zeroSnr.sample(flat, { ...way, batchSize: 2, imageSize: [3, 4] });
      expect(edited.data).toEqual(plain.data);
    }
    zeroSnr.dispose();
  });

  test("in between ends where the probability flow leads from there", async () => {
    const init = ndarray([1.2], [1, 1, 1, 1]);
    const { start, steps } = diffusion.plan({ steps: 500, sampler: "ddim", strength: 0.6 });
    expect([steps.length, start.timestep]).toEqual([300, 599]);
    const { data } = await diffusion.sample(truth, { ...options, init, batchSize: 5000, steps: 500, strength: 0.6 });
    // x_t = alpha 1.2 + sigma z goes to m + s (x_t - alpha m) / sqrt(alpha^2 s^2 + sigma^2).
    const spread = Math.hypot(start.alpha * DEVIATION, start.sigma);
    const exact = {
      mean: MEAN + (DEVIATION * start.alpha * (1.2 - MEAN)) / spread,
      deviation: (DEVIATION * start.sigma) / spread,
    };
    const found = momentsOf(Array.from(data));
    // Four standard errors, and the solver's own.
    const error = (4 * exact.deviation) / Math.sqrt(5000) + 0.003;
    expect(Math.abs(found.mean - exact.mean)).toBeLessThan(error);
    expect(Math.abs(found.deviation - exact.deviation)).toBeLessThan(error);
  });

  test("takes the last steps of any sampler", () => {
    for (const sampler of ["ddpm", "heun", "deis", "edm"] as const) {
      const all = diffusion.plan({ sampler, steps: 10, timestepSpacing: "trailing" });
      const half = diffusion.plan({ sampler, steps: 10, timestepSpacing: "trailing", strength: 0.5 });
      expect(half.start.timestep).toBeLessThan(all.start.timestep);
      expect(half.steps.at(-1)?.level).toEqual(all.steps.at(-1)?.level);
    }
    expect(diffusion.plan({ steps: 100, strength: 0.29 }).steps).toHaveLength(29);
  });
});

describe("inpainting", { timeout: 60_000 }, () => {
  const pair = { mean: MEAN, deviation: DEVIATION, correlation: 0.9 };
  const model = new CorrelatedDenoiser(betas, pair);
  const known = 0.9;
  const image = ndarray([known, 0], [1, 1, 2, 1]);
  const mask = ndarray([0, 1], [1, 1, 2, 1]);

  test("of one of two correlated pixels nears its distribution given the other, the more often it resamples", async () => {
    // x_2 given x_1 is normal, with mean m + r (x_1 - m) and deviation s sqrt(1 - r^2).
    const mean = pair.mean + pair.correlation * (known - pair.mean);
    const deviation = pair.deviation * Math.sqrt(1 - pair.correlation ** 2);
    const batchSize = 1500;
    const found = async (resamples: number): Promise<readonly [mean: number, deviation: number]> => {
      const options = { image, mask, batchSize, resamples, steps: 1000, seed: 2, backend };
      const { data } = await diffusion.sample(model, options);
      const moments = momentsOf(Array.from({ length: batchSize }, (_, i) => data[2 * i + 1]));
      return [Math.abs(moments.mean - mean), Math.abs(moments.deviation / deviation - 1)];
    };
    const [once, thrice, often] = [await found(1), await found(3), await found(12)];
    // Without resampling, what is known comes too late: the pixel tends to what it would be alone.
    expect(once[0]).toBeGreaterThan(0.12);
    expect(once[1]).toBeGreaterThan(0.2);
    expect(thrice[0]).toBeLessThan(once[0] / 2);
    // Three standard errors: 3 s / sqrt(n), and that over sqrt(2).
    expect(often[0]).toBeLessThan((3 * deviation) / Math.sqrt(batchSize));
    expect(often[1]).toBeLessThan(3 / Math.sqrt(2 * batchSize));
  });

  test("takes a model that learned its variance, without that", async () => {
    const learning = new GaussianDiffusion({ betas, clipDenoised: false, varianceType: "learnedRange" });
    const learned: Denoiser = {
      channels: 1,
      forward: (x, t) => concatenate([model.forward(x, t), x.multiply(0).add(1)], 3),
    };
    const options = { image, mask, batchSize: 3, steps: 10, resamples: 2, jumpLength: 2, seed: 5, backend };
    const { data } = await learning.sample(learned, options);
    expect(data).toEqual((await diffusion.sample(model, options)).data);
    await expect(learning.sample(learned, { ...options, varianceType: "learnedRange" })).rejects.toThrow(
      "inpainting: takes varianceType fixedSmall or fixedLarge, got learnedRange",
    );
    learning.dispose();
  });

  test("keeps what is known as it is, each image its own, and the rest as the seed says", async () => {
    const images = ndarray([0.9, 0, -0.4, 0], [2, 1, 2, 1]);
    const masks = ndarray([0, 1, 1, 1], [2, 1, 2, 1]);
    const options = { image: images, mask: masks, steps: 20, resamples: 2, jumpLength: 3, seed: 3, backend };
    const { data } = await diffusion.sample(model, options);
    expect(data[0]).toBe(Math.fround(0.9));
    expect(data[2]).not.toBe(Math.fround(-0.4));
    expect((await diffusion.sample(model, options)).data).toEqual(data);
    expect((await diffusion.sample(model, { ...options, seed: 4 })).data).not.toEqual(data);
  });

  test("walks as the paper's schedule does, ten times through ten steps by default", async () => {
    const visited = (options: object): number[] => {
      return diffusion.plan({ steps: 5, ...options }).steps.map(({ level }) => (level.timestep + 1) / 200 - 1);
    };
    expect(visited({ resamples: 1 })).toEqual([4, 3, 2, 1, 0]);
    expect(visited({ resamples: 2, jumpLength: 1 })).toEqual([4, 4, 3, 3, 2, 2, 1, 1, 0]);
    expect(visited({ resamples: 2, jumpLength: 2 })).toEqual([4, 3, 4, 3, 2, 1, 2, 1, 0]);
    let evaluations = 0;
    await diffusion.sample(model, {
      image,
      mask,
      steps: 30,
      backend,
      onStep: ({ steps }) => void (evaluations = steps),
    });
    expect(evaluations).toBe(30 + 2 * 9 * 10);
  });
});

describe("interpolation", () => {
  const [x1, x2] = [0, 1].map((i) => ndarray(images.data.slice(i * 12, i * 12 + 12), [1, 3, 4, 1]));
  const options = { steps: 60, backend } as const;
  const image = ({ data }: NdArray, i: number): ArrayLike<number> => data.slice(i * 12, i * 12 + 12);
  const onCircle = (a: readonly number[], b: readonly number[], share: number): number[] => {
    const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i], 0);
    const angle = Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
    return a.map((x, i) => (Math.sin((1 - share) * angle) * x + Math.sin(share * angle) * b[i]) / Math.sin(angle));
  };

  test("ends where each image alone comes back from inversion, and follows the great circle of latents", async () => {
    const steps: (readonly [number, number])[] = [];
    const row = await diffusion.interpolate(truth, x1, x2, {
      ...options,
      lam: [0, 0.3, 1],
      onStep: ({ step, steps: all }) => void steps.push([step, all]),
    });
    expect(row.shape).toEqual([3, 3, 4, 1]);
    expect(steps).toEqual(Array.from({ length: 3 * 57 }, (_, i) => [i + 1, 3 * 57]));
    // All but a twentieth of the steps.
    const way = { ...options, strength: 0.95 };
    const latents = await diffusion.invert(truth, images, way);
    const ends = await diffusion.sample(truth, { ...way, sampler: "ddim", start: latents });
    expect(largestDifference(image(row, 0), image(ends, 0))).toBeLessThan(1e-5);
    expect(largestDifference(image(row, 2), image(ends, 1))).toBeLessThan(1e-5);

    const [a, b] = [0, 1].map((i) => Array.from(image(latents, i)));
    const start = ndarray(onCircle(a, b, 0.3), [1, 3, 4, 1]);
    const expected = await diffusion.sample(truth, { ...way, sampler: "ddim", start });
    expect(largestDifference(image(row, 1), expected.data)).toBeLessThan(1e-5);
  });

  test("by mixing is sampling from the noised mix of pixels", async () => {
    const way = { ...options, sampler: "ddim", strength: 0.4, seed: 8 } as const;
    const row = await diffusion.interpolate(truth, x1, x2, { ...way, method: "mix", lam: [0, 0.25] });
    const mixed = Float32Array.from(x1.data, (x, i) => 0.75 * x + 0.25 * x2.data[i]);
    const expected = await diffusion.sample(truth, { ...way, init: ndarray(mixed, [1, 3, 4, 1]) });
    expect(largestDifference(image(row, 1), expected.data)).toBeLessThan(1e-5);
    const alone = await diffusion.sample(truth, { ...way, init: x1 });
    expect(largestDifference(image(row, 0), alone.data)).toBeLessThan(1e-5);
  });

  test("tells a model the classes of both ends, and mixtures of them between", async () => {
    const means = [0, -0.6, 0.7];
    const model = new ClassDenoiser(betas, means, DEVIATION);
    const classes = { classes: [1], toClasses: [2] };
    const row = await diffusion.interpolate(model, x1, x2, { ...options, ...classes, lam: [0, 0.3, 1] });
    // What is known of the classes, by networks that are told none.
    const of = (mean: number) => new GaussianDenoiser(betas, mean, DEVIATION);
    const way = { ...options, sampler: "ddim", strength: 0.95 } as const;
    const a = await diffusion.invert(of(means[1]), x1, way);
    const b = await diffusion.invert(of(means[2]), x2, way);
    const shares = [0, 0.3, 1];
    for (const [place, share] of shares.entries()) {
      const start = ndarray(onCircle(Array.from(a.data), Array.from(b.data), share), [1, 3, 4, 1]);
      const expected = await diffusion.sample(of((1 - share) * means[1] + share * means[2]), { ...way, start });
      expect(largestDifference(image(row, place), expected.data)).toBeLessThan(1e-5);
    }
    const alike = { ...options, lam: [0.3], classes: [1] };
    expect((await diffusion.interpolate(model, x1, x2, alike)).data).toEqual(
      (await diffusion.interpolate(model, x1, x2, { ...alike, toClasses: [1] })).data,
    );
  });

  test("takes whole batches, all images at one share before those at the next", async () => {
    const swapped = ndarray(Float32Array.of(...x2.data, ...x1.data), shape);
    const both = await diffusion.interpolate(truth, images, swapped, { ...options, lam: [0.2, 0.8] });
    expect(both.shape).toEqual([4, 3, 4, 1]);
    expect(largestDifference(image(both, 0), image(both, 3))).toBeLessThan(1e-5);
    expect(largestDifference(image(both, 1), image(both, 2))).toBeLessThan(1e-5);
  });
});

describe("says in one line what it cannot do:", () => {
  const mask = ndarray(new Float32Array(24), shape);
  const inpainting = { image: images, mask };

  test.each<[string, object, string]>([
    ["no size", {}, "sample: imageSize must be given, as there are no images to start from"],
    [
      "an image of another size",
      { init: images, imageSize: 4 },
      "sample: init must be f32 [2,4,4,1], got f32 [2,3,4,1]",
    ],
    ["too many images", { init: images, batchSize: 3 }, "sample: init must be f32 [3,3,4,1], got f32 [2,3,4,1]"],
    ["bytes", { init: { ...images, dtype: "i32" } }, "sample: init must be f32 [2,3,4,1], got i32 [2,3,4,1]"],
    ["too much", { init: images, strength: 1.5 }, "strength must be from 0 to 1, got 1.5"],
    [
      "too little",
      { init: images, steps: 10, strength: 0.05 },
      "strength must leave one of 10 steps at least, 0.1, got",
    ],
    ["part of noise", { imageSize: 4, strength: 0.5 }, "strength below 1 leaves no noise to start from: give init"],
    ["two starts", { init: images, start: images }, "sample: takes start or init, got both"],
    ["an image without a mask", { image: images }, "sample: inpainting takes both image and mask"],
    ["a mask without an image", { mask, imageSize: [3, 4] }, "sample: inpainting takes both image and mask"],
    ["resamples of nothing", { imageSize: 4, resamples: 2 }, "sample: inpainting takes both image and mask"],
    [
      "a mask of many channels",
      { ...inpainting, mask: ndarray([0, 0], [1, 1, 1, 2]) },
      "sample: mask must be f32 [1,3,4,1]",
    ],
    [
      "half a mask",
      { ...inpainting, mask: ndarray(new Float32Array(24).fill(0.5), shape) },
      "sample: mask must hold 1 where to paint and 0 elsewhere, got 0.5",
    ],
    ["no walk", { ...inpainting, resamples: 0 }, "inpainting: resamples must be a whole number of at least 1, got 0"],
    ["no jump", { ...inpainting, jumpLength: 0 }, "inpainting: jumpLength must be a whole number of at least 1, got 0"],
    [
      "a sampler with a memory",
      { ...inpainting, sampler: "dpmSolver++2M" },
      "inpainting: takes ddpm, ddim, euler or eulerAncestral, whose steps know of no other, got dpmSolver++2M",
    ],
  ])("%s", async (_, options, message) => {
    await expect(diffusion.sample(truth, { steps: 20, backend, ...options })).rejects.toThrow(message);
  });

  test.each<[string, object, string]>([
    ["a share above 1", { lam: 1.1 }, "interpolate: lam must be from 0 to 1, got 1.1"],
    ["no share", { lam: [] }, "interpolate: lam must be from 0 to 1, got none"],
    ["another way", { method: "lerp" }, "interpolate: method must be one of slerp, mix, got lerp"],
    ["a class to go to alone", { toClasses: [0, 1] }, "interpolate: toClasses are given without classes"],
    ["classes of no use", { classes: [0, 1] }, "sample: got classes, which the model was not made for"],
    ["noise", { sampler: "ddpm" }, "interpolate: slerp samples by ddim without noise, got ddpm with eta 0"],
  ])("%s", async (_, options, message) => {
    await expect(diffusion.interpolate(truth, images, images, { backend, ...options })).rejects.toThrow(message);
  });

  test("images of two sizes", async () => {
    const small = ndarray([0], [1, 1, 1, 1]);
    await expect(diffusion.interpolate(truth, images, small, { backend })).rejects.toThrow(
      "interpolate: x2 must be f32 [2,3,4,1], got f32 [1,1,1,1]",
    );
  });
});
