import { describe, expect, test } from "vitest";
import { compile } from "../backend/compile.ts";
import { ReferenceBackend } from "../backend/reference/backend.ts";
import type { Denoiser } from "../diffusion/denoiser.ts";
import { ElucidatedDiffusion } from "../diffusion/elucidated-diffusion.ts";
import { GaussianDiffusion } from "../diffusion/gaussian-diffusion.ts";
import { classCondition } from "../models/conditions/classes.ts";
import type { Conditions } from "../models/conditions/declaration.ts";
import { ndarray } from "../tensor/ndarray.ts";
import { full } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { denoising } from "./tasks/denoising.ts";
import { trainingLoss } from "./training-loss.ts";

const [batch, height, width, channels] = [64, 2, 3, 2];
const size = height * width * channels;
const shape = [batch, height, width, channels];
const bytes = Float32Array.from({ length: batch * size }, (_, i) => (i * 37) % 256);

interface Seen {
  readonly x: Float32Array;
  readonly t: Int32Array;
  readonly loss: number;
}

/** What a network is shown, and the loss of answering with zeros. */
async function seenBy(key: readonly [number, number], betas: number[], randomHorizontalFlip: boolean): Promise<Seen> {
  const diffusion = new GaussianDiffusion({ betas, lossType: "l2" });
  const run = compile(ReferenceBackend.create(), ({ images, key }) => {
    const shown: Tensor[] = [];
    const model: Denoiser = {
      channels,
      forward(x, t) {
        shown.push(x, t);
        return x.multiply(0);
      },
    };
    const { loss } = trainingLoss(denoising(model, diffusion), images, key, { randomHorizontalFlip });
    return { outputs: { loss, x: shown[0], t: shown[1] } };
  });
  const { loss, x, t } = await run({ images: ndarray(bytes, shape), key: ndarray(Uint32Array.from(key), [2]) });
  return { x: x.data as Float32Array, t: t.data as Int32Array, loss: loss.data[0] };
}

const imageOf = (data: Float32Array, image: number) => [...data.subarray(image * size, (image + 1) * size)];
const isClose = (a: readonly number[], b: readonly number[]) => a.every((value, i) => Math.abs(value - b[i]) < 1e-4);
const scaled = bytes.map((byte) => byte / 127.5 - 1);

/** Pixels of each row in reverse, the channels of a pixel in their order. */
function mirrored(image: readonly number[]): number[] {
  return image.map((_, i) => {
    const [row, pixel, channel] = [Math.floor(i / (width * channels)), Math.floor(i / channels) % width, i % channels];
    return image[(row * width + (width - 1 - pixel)) * channels + channel];
  });
}

/** So little noise that the images can be seen through it. */
const clear = [1e-12];

describe("the training loss", () => {
  test("scales bytes to [-1, 1] and leaves images as they are without flips", async () => {
    const { x } = await seenBy([1, 2], clear, false);
    for (let i = 0; i < batch; i++) expect(isClose(imageOf(x, i), imageOf(scaled, i))).toBe(true);
  });

  test("mirrors about half of the images, each whole, others in another step", async () => {
    const flipped = async (step: number) => {
      const { x } = await seenBy([1, step], clear, true);
      return Array.from({ length: batch }, (_, i) => {
        const [got, plain] = [imageOf(x, i), imageOf(scaled, i)];
        expect(isClose(got, plain) !== isClose(got, mirrored(plain))).toBe(true);
        return isClose(got, mirrored(plain));
      });
    };
    const [first, second] = [await flipped(0), await flipped(1)];
    const count = first.filter(Boolean).length;
    expect(count).toBeGreaterThan(batch / 4);
    expect(count).toBeLessThan((3 * batch) / 4);
    expect(second).not.toEqual(first);
  });

  test("withholds the classes of a share of the images, others in another step", async () => {
    const diffusion = new GaussianDiffusion({ betas: clear });
    const kept = async (condDropProb: number, step: number) => {
      const run = compile(ReferenceBackend.create(), ({ images, key, classes }) => {
        const told: Conditions[] = [];
        const forward: Denoiser["forward"] = (x, _t, conditions = {}) => (told.push(conditions), x);
        const model: Denoiser = { channels, conditions: classCondition(5), forward };
        const task = denoising(model, diffusion, { condDropProb });
        const { loss } = trainingLoss(task, images, key, { randomHorizontalFlip: false, inputs: { classes } });
        return {
          outputs: { loss, classes: told[0].classes ?? loss, keepMask: told[0].keepMask ?? full([batch], 1, "bool") },
        };
      });
      const labels = ndarray(
        Int32Array.from({ length: batch }, (_, i) => i % 5),
        [batch],
      );
      const { classes, keepMask } = await run({
        images: ndarray(bytes, shape),
        key: ndarray(Uint32Array.of(7, step), [2]),
        classes: labels,
      });
      expect(classes.data).toEqual(labels.data);
      return [...keepMask.data];
    };
    let dropped = 0;
    for (let step = 0; step < 40; step++) dropped += (await kept(0.2, step)).filter((keep) => keep === 0).length;
    // Binomial: 2,560 images, 512 expected, a deviation of 20.
    expect(Math.abs(dropped - 512)).toBeLessThan(80);
    expect(await kept(0.2, 0)).not.toEqual(await kept(0.2, 1));
    expect(await kept(0.2, 0)).toEqual(await kept(0.2, 0));
    expect(new Set(await kept(0, 0))).toEqual(new Set([1]));
  });

  test("of noise levels by Karras et al. is 1 where images of their deviation are answered by zeros", async () => {
    const value = Math.abs(64 / 127.5 - 1);
    const diffusion = new ElucidatedDiffusion({ sigmaData: value });
    const run = compile(ReferenceBackend.create(), ({ images, key }) => {
      const times: Tensor[] = [];
      const model: Denoiser = { channels, forward: (x, t) => (times.push(t), x.multiply(0)) };
      const { loss } = trainingLoss(denoising(model, diffusion), images, key, { randomHorizontalFlip: false });
      return { outputs: { loss, t: times[0] } };
    });
    const extremes = bytes.map((_, i) => (i % 2 === 0 ? 64 : 191));
    const { loss, t } = await run({ images: ndarray(extremes, shape), key: ndarray(Uint32Array.of(1, 2), [2]) });
    expect(new Set(t.data).size).toBe(batch);
    // The mean of 768 numbers, whose variance is at most that of squared normal ones.
    expect(Math.abs(loss.data[0] - 1)).toBeLessThan(4 * Math.sqrt(2 / (batch * size)));
  });

  test("draws timesteps over the whole range and standard normal noise", async () => {
    const { t, loss } = await seenBy([1, 2], new Array<number>(5).fill(0.1), false);
    expect([...new Set(t)].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    // The network answers 0, so the loss is the mean square of 768 normal numbers: 1 with a deviation of 0.05.
    expect(Math.abs(loss - 1)).toBeLessThan(0.2);
  });
});
