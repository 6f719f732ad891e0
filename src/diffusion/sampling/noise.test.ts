import { describe, expect, test } from "vitest";
import { lowresCondition } from "../../models/conditions/lowres.ts";
import { Random } from "../../../test/support/random.ts";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import type { Denoiser } from "../denoiser.ts";
import type { SampleOptions } from "../sampling/sample.ts";
import { ElucidatedDiffusion } from "../elucidated-diffusion.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";

const backend = ReferenceBackend.create();
const COUNT = 5;
const model: Denoiser = { channels: 1, forward: (x) => x.multiply(0.7).sin() };
/** A stage of a cascade, which sees the images of less resolution in all noise. */
const stage: Denoiser = {
  channels: 1,
  conditions: lowresCondition,
  forward: (x, _t, conditions) => conditions?.lowresCondImg?.multiply(0.5).add(x) ?? x,
};
const images = new Random(1).array([COUNT, 2, 3, 1]);
const mask = ndarray(
  Array.from({ length: 6 * COUNT }, (_, i) => i % 2),
  [COUNT, 2, 3, 1],
);
const gaussian = new GaussianDiffusion({ timesteps: 12 });

function part({ data, shape: [count, ...image] }: NdArray, first: number, end: number): NdArray {
  const size = data.length / count;
  return ndarray(Float32Array.from(data.subarray(first * size, end * size)), [end - first, ...image]);
}

const ways: Record<string, { draw: (options: SampleOptions) => Promise<NdArray>; given?: Record<string, NdArray> }> = {
  "the start alone": { draw: (options) => gaussian.sample(model, { ...options, sampler: "ddim", steps: 3 }) },
  "the steps of ddpm": { draw: (options) => gaussian.sample(model, { ...options, sampler: "ddpm" }) },
  "the lifts of edm": {
    draw: (options) => new ElucidatedDiffusion().sample(model, { ...options, sampler: "edm", steps: 4, sTMin: 0 }),
  },
  "given images": { draw: (options) => gaussian.sample(model, { ...options, strength: 0.5 }), given: { init: images } },
  inpainting: {
    draw: (options) => gaussian.sample(model, { ...options, resamples: 2, jumpLength: 3, steps: 6 }),
    given: { image: images, mask },
  },
  "images of less resolution": {
    draw: (options) => gaussian.sample(stage, { ...options, sampler: "ddim", steps: 2 }),
    given: { lowresCondImg: images },
  },
};

describe.each(Object.entries(ways))("with noise for %s", (_, { draw, given = {} }) => {
  /** Images first to end of a seed. */
  const images = async (seed: number, first: number, end: number): Promise<number[]> => {
    const some = Object.fromEntries(Object.entries(given).map(([name, all]) => [name, part(all, first, end)]));
    const options = { ...some, seed, firstIndex: first, batchSize: end - first, imageSize: [2, 3], backend } as const;
    return Array.from((await draw(options)).data);
  };

  test("image k of a seed follows from the seed and k alone, however they are batched", async () => {
    const whole = await images(7, 0, COUNT);
    expect([...(await images(7, 0, 2)), ...(await images(7, 2, COUNT))]).toEqual(whole);
    expect([...(await images(7, 0, 4)), ...(await images(7, 4, COUNT))]).toEqual(whole);
  });

  test("neighbouring seeds share no image", async () => {
    const size = 6;
    const drawn = [...(await images(7, 0, COUNT)), ...(await images(8, 0, COUNT)), ...(await images(6, 0, COUNT))];
    const texts = Array.from({ length: 3 * COUNT }, (_, i) => drawn.slice(i * size, (i + 1) * size).join());
    expect(new Set(texts).size).toBe(3 * COUNT);
  });
});

describe("the number of the first image", () => {
  const draw = (firstIndex: number) =>
    gaussian.sample(model, { batchSize: 2, imageSize: 2, sampler: "ddim", steps: 1, seed: 1, firstIndex, backend });

  test("may be any whole number whose batch ends below 2^32", async () => {
    // 2^30 images of 4 pixels on, a counter of pixels would be back at 0.
    const [first, far] = [await draw(0), await draw(2 ** 30)];
    expect(far.data).not.toEqual(first.data);
    expect((await draw(2 ** 32 - 2)).data.every(Number.isFinite)).toBe(true);
  });

  test.each([-1, 0.5, NaN, 2 ** 32 - 1])("is refused at %d", async (firstIndex) => {
    await expect(draw(firstIndex)).rejects.toThrow(
      `firstIndex: must be a whole number from 0 to ${2 ** 32 - 2}, got ${firstIndex}`,
    );
  });
});
