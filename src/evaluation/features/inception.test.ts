import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { valuesOf, tensorOf } from "../../../test/support/reference.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.node.ts";
import type { SafeTensor } from "../../io/safetensors/safetensors.ts";
import { ndarray } from "../../tensor/ndarray.ts";
import type { NdArray } from "../../tensor/ndarray.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { iota } from "../../tensor/tensor.ts";
import { FeatureExtractor } from "./feature-extractor.ts";
import { InceptionV3 } from "./inception.ts";
import { avgPool3x3, maxPool3x3, resizeBilinear } from "./window.ts";

/** By test/fixtures/evaluation/inception.py, which has the same formulas. */
interface Stored {
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  /** Every eighth feature. */
  readonly gray: readonly number[];
  readonly rgb: readonly number[];
}
const stored = JSON.parse(
  await readFile(new URL("../../../test/fixtures/evaluation/inception.json", import.meta.url), "utf8"),
) as Stored;

function mixed(i: number, stream: number): number {
  let x = Math.imul(i, 0x9e3779b1) + Math.imul(stream, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

function weights(): Map<string, NdArray> {
  const names = Object.keys(stored.parameters).toSorted();
  return new Map(
    names.map((name, stream) => {
      const shape = stored.parameters[name];
      const scale = Math.sqrt(6 / sizeOf(shape.slice(1)));
      const value = (u: number): number => {
        if (name.endsWith("conv.weight")) return (2 * u - 1) * scale;
        if (name.endsWith("bn.weight")) return 0.8 + 0.4 * u;
        return name.endsWith("running_var") ? 0.6 + 0.8 * u : 0.4 * u - 0.2;
      };
      const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => value(mixed(i, stream) / 2 ** 32));
      return [name, ndarray(data, shape)];
    }),
  );
}

function images(height: number, width: number, channels: number, stream: number) {
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) => mixed(i, stream) >>> 24);
  return { data, shape: [1, height, width, channels] };
}

/** Like a file with tensors of one number where the shape does not matter. */
function fileOf(tensors: readonly (readonly [string, readonly number[]])[]) {
  const entries = tensors.map(([name, shape]): [string, SafeTensor] => {
    return [name, { dtype: "F32", shape, data: new Float32Array(sizeOf(shape)) }];
  });
  return { tensors: new Map(entries), metadata: {} };
}

describe("Inception-v3", () => {
  test("computes PyTorch's features of gray and of RGB images", { timeout: 240_000 }, async () => {
    const network = new InceptionV3({ batchSize: 1 });
    await network.loadStateDict(weights());
    const backend = await createWasmBackend({ threads: 2 });
    const extractor = new FeatureExtractor(network, backend);
    for (const [name, batch] of [
      ["gray", images(28, 28, 1, 1000)],
      ["rgb", images(20, 36, 3, 1001)],
    ] as const) {
      const { data, shape } = await extractor.extract(batch);
      expect(shape).toEqual([1, 2048]);
      const differences = stored[name].map((value, i) => Math.abs(value - data[8 * i]));
      // Float32 through 48 layers beside float64; features go up to 6.
      expect(Math.max(...differences)).toBeLessThan(1e-3);
    }
    await backend.close();
  });

  test("takes a file with torchvision's names, and leaves out what is no feature", async () => {
    const parameters = Object.entries(stored.parameters);
    const others = [
      ["fc.weight", [1008, 2048]],
      ["fc.bias", [1008]],
      ["AuxLogits.conv0.conv.weight", [1]],
      ["Mixed_5b.branch1x1.bn.num_batches_tracked", []],
    ] as const;
    const network = await InceptionV3.fromSafetensors(fileOf([...parameters, ...others]), "inception.safetensors");
    expect(network.parameterCount()).toBe(parameters.reduce((sum, [, shape]) => sum + sizeOf(shape), 0));
  });

  test("lists at once what is missing, unexpected or ill-shaped in a file", async () => {
    const parameters = Object.entries(stored.parameters).filter(
      ([name]) => name !== "Mixed_6a.branch3x3.conv.weight" && name !== "Mixed_7c.branch1x1.bn.bias",
    );
    const wrong = parameters.map(([name, shape]) => {
      return [name, name === "Conv2d_1a_3x3.bn.bias" ? [33] : shape] as const;
    });
    await expect(InceptionV3.fromSafetensors(fileOf([...wrong, ["other", [2]]]), "x.safetensors")).rejects.toThrow(
      "x.safetensors: missing Mixed_6a.branch3x3.conv.weight, Mixed_7c.branch1x1.bn.bias; unexpected other; " +
        "Conv2d_1a_3x3.bn.bias must be f32 [32], got f32 [33]",
    );
  });
});

describe("windows", () => {
  const image = iota([16], 0, "f32").reshape([1, 4, 4, 1]);

  test("maxima are of whole windows, also below zero", async () => {
    expect(await valuesOf(maxPool3x3(image))).toEqual([10, 11, 14, 15]);
    expect(await valuesOf(maxPool3x3(iota([25], 0, "f32").reshape([1, 5, 5, 1]), { stride: 2 }))).toEqual([
      12, 14, 22, 24,
    ]);
    const negative = tensorOf([-1, -2, -3, -4], [1, 2, 2, 1]);
    expect(await valuesOf(maxPool3x3(negative, { padding: 1 }))).toEqual([-1, -1, -1, -1]);
  });

  test("means leave out what lies outside", async () => {
    const means = await valuesOf(avgPool3x3(tensorOf([1, 2, 3, 4, 5, 6], [1, 2, 3, 1])));
    const expected = [3, 3.5, 4, 3, 3.5, 4];
    means.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 6));
  });

  test("resizing interpolates between pixel centres", async () => {
    // At 2 i + 1/2 of the new pixels' width lie the old centres; beyond the outer ones the border goes on.
    const wide = await valuesOf(resizeBilinear(tensorOf([0, 4], [1, 1, 2, 1]), 1, 4));
    expect(wide).toEqual([0, 1, 3, 4]);
    expect(await valuesOf(resizeBilinear(image, 4, 4))).toEqual(await valuesOf(image));
    expect(await valuesOf(resizeBilinear(image, 2, 2))).toEqual([2.5, 4.5, 10.5, 12.5]);
  });
});
