import { afterAll, describe, expect, test } from "vitest";
import { ReferenceBackend } from "../../backend/reference/backend.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import { classCondition } from "../../models/conditions/classes.ts";
import { contextCondition } from "../../models/conditions/context.ts";
import { lowresCondition } from "../../models/conditions/lowres.ts";
import { vectorCondition } from "../../models/conditions/vector.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { valueOf } from "../../tensor/tensor.ts";
import { Variable } from "../../tensor/variable.ts";
import type { Denoiser } from "../denoiser.ts";
import { ElucidatedDiffusion } from "../elucidated-diffusion.ts";
import { GaussianDiffusion } from "../gaussian-diffusion.ts";
import { bitsPerDim } from "../objectives/bits-per-dim.ts";

const backends = [
  { name: "reference", backend: ReferenceBackend.create() },
  { name: "wasm", backend: await createWasmBackend({ threads: 1 }) },
];
afterAll(() => backends[1].backend.close());

const images = ndarray(new Float32Array(12).fill(0.5), [2, 2, 3, 1]);
const holding = (value: number, shape = [2, 2, 3, 1]): NdArray => {
  const size = shape.reduce((a, b) => a * b);
  return ndarray(new Float32Array(size).fill(0.25).with(size - 1, value), shape);
};

describe.each(backends)("on the $name backend", ({ backend }) => {
  /** A network whose one weight is damaged. */
  const damaged = (weight: number): Denoiser => {
    const variable = new Variable("weight", [], { data: Float32Array.of(weight) });
    return { channels: 1, forward: (x) => x.multiply(valueOf(variable)) };
  };
  const few = { batchSize: 2, imageSize: [2, 3], seed: 1, backend } as const;
  const got = "output must be finite numbers, got others for 2 of 2 images: its weights are damaged";

  test.each([NaN, Infinity, -Infinity])("a weight of %d makes no images, clipped or not", async (weight) => {
    const model = damaged(weight);
    for (const clipDenoised of [true, false]) {
      const gaussian = new GaussianDiffusion({ timesteps: 5, clipDenoised });
      for (const sampler of ["ddpm", "dpmSolver++2M"] as const) {
        await expect(gaussian.sample(model, { ...few, sampler, steps: 5 })).rejects.toThrow(
          `sample: the model's ${got}`,
        );
      }
      await expect(gaussian.pSample(model, images, 3, { backend })).rejects.toThrow(`pSample: the model's ${got}`);
      await expect(gaussian.invert(model, images, { backend })).rejects.toThrow(`invert: the model's ${got}`);
      await expect(gaussian.interpolate(model, images, images, { backend })).rejects.toThrow(got);
      await expect(bitsPerDim(gaussian, model, images, { backend })).rejects.toThrow(
        "bitsPerDim: the model's output must be finite numbers, got others for image 0 at timestep 4",
      );
    }
    const edm = new ElucidatedDiffusion();
    await expect(edm.sample(model, { ...few, steps: 3 })).rejects.toThrow(`sample: the model's ${got}`);
  });

  test("a network that answers NaN for one image alone says so", async () => {
    const model: Denoiser = { channels: 1, forward: (x) => x.compare("gt", 1e8).select(NaN, x) };
    const diffusion = new GaussianDiffusion({ timesteps: 4 });
    await expect(diffusion.sample(model, { ...few, start: holding(1e9) })).rejects.toThrow("others for 1 of 2 images");
  });

  test("a guided prediction without spread gets none back", async () => {
    const zero: Denoiser = { channels: 1, conditions: classCondition(2), forward: (x) => x.multiply(0) };
    const constant: Denoiser = { channels: 1, conditions: classCondition(2), forward: (x) => x.multiply(0).add(0.25) };
    for (const model of [zero, constant]) {
      const diffusion = new GaussianDiffusion({ timesteps: 5, objective: "predX0" });
      const options = { ...few, classes: [0, 1], condScale: 3 };
      const plain = await diffusion.sample(model, options);
      const rescaled = await diffusion.sample(model, { ...options, rescaledPhi: 0.7 });
      expect(Array.from(rescaled.data)).toEqual(Array.from(plain.data));
      expect(plain.data.every(Number.isFinite)).toBe(true);
    }
  });
});

describe("what is given must be finite numbers", () => {
  const { backend } = backends[0];
  const diffusion = new GaussianDiffusion({ timesteps: 5 });
  const conditions = { ...vectorCondition(2), ...contextCondition(2), ...classCondition(2) };
  const model: Denoiser = { channels: 1, conditions, forward: (x) => x };
  const stage: Denoiser = { channels: 1, conditions: lowresCondition, forward: (x) => x };
  const mask = ndarray(new Float32Array(12).fill(1), [2, 2, 3, 1]);

  test.each<[string, object]>([
    ["start", { start: holding(NaN) }],
    ["init", { init: holding(NaN) }],
    ["init", { init: holding(-Infinity, [1, 2, 3, 1]) }],
    ["image", { image: holding(NaN), mask }],
    ["mask", { image: images, mask: holding(NaN) }],
    ["vector", { vector: holding(NaN, [2, 2]) }],
    ["context", { context: holding(Infinity, [2, 4, 2]) }],
    ["classes", { classes: holding(NaN, [2, 2]) }],
  ])("%s to sample", async (name, given) => {
    const options = { imageSize: [2, 3], seed: 1, backend, ...given } as const;
    await expect(diffusion.sample(model, options)).rejects.toThrow(
      new RegExp(`^sample: ${name} must hold finite numbers, got (NaN|-?Infinity) at \\d+$`),
    );
  });

  test("images of less resolution, those to invert, to interpolate and to compress, and noise", async () => {
    const bad = holding(NaN);
    const says = (what: string) => `${what} must hold finite numbers, got NaN at 11`;
    await expect(diffusion.sample(stage, { lowresCondImg: bad, imageSize: 4, backend })).rejects.toThrow(
      says("sample: lowresCondImg"),
    );
    await expect(diffusion.invert(model, bad, { backend })).rejects.toThrow(says("invert: images"));
    await expect(diffusion.interpolate(model, bad, images, { backend })).rejects.toThrow(says("interpolate: x1"));
    await expect(diffusion.interpolate(model, images, bad, { backend })).rejects.toThrow(says("interpolate: x2"));
    await expect(diffusion.pSample(model, images, 1, { noise: bad, backend })).rejects.toThrow(says("pSample: noise"));
    await expect(bitsPerDim(diffusion, model, bad, { backend })).rejects.toThrow(says("bitsPerDim: images"));
  });
});
